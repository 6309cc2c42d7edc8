/**
 * Reads WGSL formulas of numbers, and functions made of such formulas, and computes them in float64: what a kernel that
 * applies a formula to every element must give.
 */
import { normalCdf, sigmoid } from "./functions.ts";

type Names = Readonly<Record<string, number | boolean>>;
type Value = (names: Names) => number | boolean;

/** A formula, ready to be computed for numbers by name. */
export type Formula = (names: Readonly<Record<string, number>>) => number;

type Function_ = (...args: (number | boolean)[]) => number | boolean;

const one = (f: (x: number) => number): Function_ => (x) => f(Number(x));
const two = (f: (x: number, y: number) => number): Function_ => (x, y) => f(Number(x), Number(y));

/** What WGSL has built in; vectors are gone through element by element. */
const BUILT_IN: Readonly<Record<string, Function_>> = {
  V: (x) => x,
  vec4f: (x = 0) => x,
  f32: one(Number),
  select: (no, yes, condition) => (condition ? yes : no),
  clamp: (x, low, high) => Math.min(Math.max(Number(x), Number(low)), Number(high)),
  fma: (x, y, z) => Number(x) * Number(y) + Number(z),
  max: two(Math.max),
  min: two(Math.min),
  pow: two((x, y) => (x < 0 ? NaN : x ** y)),
  exp2: one((x) => 2 ** x),
  inverseSqrt: one((x) => 1 / Math.sqrt(x)),
  ...Object.fromEntries(
    (["abs", "ceil", "cos", "exp", "floor", "log", "log2", "round", "sign", "sin", "sqrt", "tanh"] as const)
      .map((name) => [name, one(Math[name])]),
  ),
  // Declared in kernels as approximations of these.
  normalCdf: one(normalCdf),
  sigmoid: one(sigmoid),
  softPlus: one((x) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0)),
  hyperbolicTangent: one(Math.tanh),
  exponential: one(Math.exp),
  logarithm: one(Math.log),
  power: two((x, y) => x ** y),
  sine: one(Math.sin),
  cosine: one(Math.cos),
  angle: two(Math.atan2),
  rectify: one((x) => Math.max(x, 0)),
  larger: two(Math.max),
  smaller: two(Math.min),
  isNan: (x) => Number.isNaN(x),
  infinity: () => Infinity,
  notANumber: () => NaN,
};

const BINARY: readonly (readonly [operator: string, compute: Function_])[][] = [
  [["|", (x, y) => Boolean(x) || Boolean(y)]],
  [["&", (x, y) => Boolean(x) && Boolean(y)]],
  [
    ["==", (x, y) => x === y],
    ["!=", (x, y) => x !== y],
    ["<=", (x, y) => x <= y],
    [">=", (x, y) => x >= y],
    ["<", (x, y) => x < y],
    [">", (x, y) => x > y],
  ],
  [["+", two((x, y) => x + y)], ["-", two((x, y) => x - y)]],
  [["*", two((x, y) => x * y)], ["/", two((x, y) => x / y)]],
];

/**
 * Makes a function of a formula.
 *
 * @param text WGSL, such as `x * logistic(x)`.
 * @param declarations Functions it calls: those that approximate a known one are taken for that, others are read.
 * @throws {SyntaxError} If there is something in it that formulas do not have.
 */
export function formula(text: string, declarations = ""): Formula {
  const functions: Record<string, Function_> = { ...BUILT_IN };
  for (const [, name, list, body] of declarations.matchAll(/fn (\w+)\(([^)]*)\) -> \w+ \{([\s\S]*?)\n\}/g)) {
    if (name in BUILT_IN) continue;
    const parameters = list.split(",").map((each) => each.split(":")[0].trim());
    const statements = body.split(";").map((each) => each.trim()).filter((each) => each !== "").map((statement) => {
      const [, target, value] = /^(?:(?:let|var)\s+)?(?:(\w+)\s*=|return)([\s\S]*)$/.exec(statement) ?? [];
      if (value === undefined) throw new SyntaxError(`Cannot read the statement "${statement}" of ${name}`);
      return { target, value: parse(value, functions) };
    });
    functions[name] = (...args) => {
      const names: Record<string, number | boolean> = {};
      parameters.forEach((parameter, i) => (names[parameter] = args[i]));
      for (const { target, value } of statements) {
        if (target === undefined) return value(names);
        names[target] = value(names);
      }
      throw new SyntaxError(`${name} returns nothing`);
    };
  }
  const value = parse(text, functions);
  return (names) => Number(value(names));
}

function parse(text: string, functions: Readonly<Record<string, Function_>>): Value {
  const tokens = text.match(/\d+\.?\d*(?:e[+-]?\d+)?|[A-Za-z_][\w.]*|[=!<>]=|[-+*/<>&|(),]|\S/g) ?? [];
  let at = 0;
  const expect = (token: string) => {
    if (tokens[at++] !== token) throw new SyntaxError(`Cannot read "${text}": expected ${token}`);
  };
  const binary = (level: number): Value => {
    if (level === BINARY.length) return unary();
    let left = binary(level + 1);
    for (;;) {
      const compute = BINARY[level].find(([operator]) => operator === tokens[at])?.[1];
      if (!compute) return left;
      at++;
      const first = left, second = binary(level + 1);
      left = (names) => compute(first(names), second(names));
    }
  };
  const unary = (): Value => {
    const token = tokens[at++];
    if (token === "-") {
      const value = unary();
      return (names) => -Number(value(names));
    }
    if (token === "!") {
      const value = unary();
      return (names) => !value(names);
    }
    if (token === "(") {
      const value = binary(0);
      expect(")");
      return value;
    }
    if (/^\d/.test(token ?? "")) return () => Number(token);
    if (!/^[A-Za-z_]/.test(token ?? "")) throw new SyntaxError(`Cannot read "${text}": found ${token ?? "its end"}`);
    if (tokens[at] !== "(") {
      return (names) => {
        if (!(token in names)) throw new SyntaxError(`Cannot compute "${text}": ${token} is not known`);
        return names[token];
      };
    }
    expect("(");
    const args: Value[] = [];
    while (tokens[at] !== ")") {
      args.push(binary(0));
      if (tokens[at] === ",") at++;
      else if (tokens[at] !== ")") expect(")");
    }
    at++;
    return (names) => {
      const f = functions[token];
      if (!f) throw new SyntaxError(`Cannot compute "${text}": ${token}() is not known`);
      return f(...args.map((arg) => arg(names)));
    };
  };
  const value = binary(0);
  if (at !== tokens.length) throw new SyntaxError(`Cannot read "${text}": found ${tokens[at]}`);
  return value;
}
