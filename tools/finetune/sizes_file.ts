/** Files with sizes of a network. */
import { isMap, isScalar, LineCounter, parseDocument, type YAMLMap } from "yaml";
import { nearNames } from "../../core/mod.ts";
import { type AlphaFoldChoices, alphafoldConfig, type SharedSizes } from "../../model/alphafold/mod.ts";
import { InputError } from "../errors.ts";
import { decodeText, readFileBytes } from "../files.ts";

/** Names of sizes with the types of their values; those of parts in objects. */
type Known = { readonly [name: string]: "number" | "boolean" | Known };

/**
 * Reads sizes other than a preset's.
 *
 * @param path JSON file. @default none differ
 * @throws {InputError} If it is no JSON object, has a name that is no size's, a value of the wrong type, or one out of
 * range; the message names file and line, and near names.
 */
export async function readSizes(path: string | undefined): Promise<AlphaFoldChoices> {
  if (path === undefined) return {};
  const lines = new LineCounter();
  const text = decodeText(await readFileBytes(path), path);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (at: number | undefined) => `${path} line ${lines.linePos(at ?? 0).line}`;
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw new InputError(`${place(problem.pos[0])}: ${problem.message}`);
  if (!isMap(document.contents)) throw new InputError(`${path} is no JSON object with sizes of the network`);
  const sizes = read(document.contents, knownSizes(), "");
  try {
    alphafoldConfig("model_1_ptm", sizes);
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(`${path}: ${error.message}`);
    throw error;
  }
  return sizes;

  function read(map: YAMLMap, known: Known, owner: string): AlphaFoldChoices {
    return Object.fromEntries(map.items.map(({ key, value }) => {
      const at = place(isScalar(key) ? key.range?.[0] : map.range?.[0]);
      const name = isScalar(key) ? String(key.value) : "";
      const wanted = Object.hasOwn(known, name) ? known[name] : undefined;
      if (wanted === undefined) {
        const near = nearNames(name, Object.keys(known), 3);
        throw new InputError(
          `${at}: there is no size ${owner}${name}${near.length ? `; near: ${near.join(", ")}` : ""}`,
        );
      }
      if (typeof wanted === "object") {
        if (isMap(value)) return [name, read(value, wanted, `${owner}${name}.`)];
        throw new InputError(`${at}: ${owner}${name} is an object with sizes of that part`);
      }
      const found = isScalar(value) ? value.value : value;
      if (typeOf(found) === wanted) return [name, found];
      const expected = wanted === "number" ? "a number" : "true or false";
      throw new InputError(`${at}: ${owner}${name} is ${JSON.stringify(found)}, expected ${expected}`);
    }));
  }
}

function typeOf(value: unknown): "number" | "boolean" | undefined {
  return typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : undefined;
}

/** Sizes that parts have from the network. */
const SHARED = new Set<string>(
  ["cM", "cZ", "cS", "maskTrans", "triangles", "pointAttention", "multimer"] satisfies SharedSizes[],
);

/** All that may be chosen: what the largest preset has. */
function knownSizes(): Known {
  const { name: _, ...config } = alphafoldConfig("model_1_ptm");
  const known = Object.entries(config).map(([name, value]): [string, Known[string]] => {
    if (typeof value !== "object") return [name, typeOf(value)!];
    const own = Object.entries(value).filter(([size]) => name === "ablations" || !SHARED.has(size));
    return [name, Object.fromEntries(own.map(([size, value]) => [size, typeOf(value)!]))];
  });
  return { ...Object.fromEntries(known), cExtra: "number" };
}
