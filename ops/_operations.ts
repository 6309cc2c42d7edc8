/** Built-in functions that count as one operation; choices and comparisons count as none. */
const BUILT_IN = new Set(
  "abs ceil clamp cos exp exp2 floor inverseSqrt log log2 max min pow round sign sin sqrt tanh".split(" "),
);

/**
 * Operations of a WGSL formula for each element: every `+ - * /` and every built-in function is one, and a function
 * that is declared beside it is what its body counts.
 */
export function operationsOf(formula: string, declarations = ""): number {
  const functions = new Map(
    [...declarations.matchAll(/fn (\w+)\([^)]*\) -> \w+ \{([\s\S]*?)\n\}/g)].map(([, name, body]) => [name, body]),
  );
  const count = (text: string): number => {
    const plain = text.replace(
      /-?\b\d[\d.]*(e-?\d+)?\b/g,
      (number, _exponent, at) => number.startsWith("-") && /[\w)\]]\s*$/.test(text.slice(0, at)) ? "-1" : "1",
    ); // a minus that subtracts stays
    let operations = plain.match(/[-+*/]/g)?.length ?? 0;
    for (const [, name] of plain.matchAll(/\b([A-Za-z]\w*)\(/g)) {
      const body = functions.get(name);
      operations += body === undefined ? Number(BUILT_IN.has(name)) : count(body);
    }
    return operations;
  };
  return count(formula);
}
