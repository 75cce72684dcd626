import type { Random } from "./random.ts";

/** As much of JSON Schema as zod writes. */
export interface JsonSchema {
  $ref?: string;
  const?: unknown;
  enum?: unknown[];
  oneOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  type?: string;
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
}

/** Longest text and list that are made; what a schema allows beyond is for the mutator. */
const MAX_LENGTH = 24;

/**
 * Makes values that a JSON schema allows.
 * @param named what `$ref` refers to, by the last part of it
 */
export class SchemaValues {
  constructor(
    private readonly random: Random,
    private readonly named: Record<string, JsonSchema> = {},
  ) {}

  /** @throws Error for a schema that it does not understand */
  of(schema: JsonSchema): unknown {
    const { random } = this;
    if (schema.$ref !== undefined) return this.of(this.named[schema.$ref.split("/").at(-1)!]!);
    if ("const" in schema) return schema.const;
    const choices = schema.oneOf ?? schema.anyOf;
    if (choices) return this.of(random.pick(choices));
    if (schema.enum) return random.pick(schema.enum);
    switch (schema.type) {
      case "object":
        return this.#object(schema);
      case "array":
        return Array.from({ length: random.int(0, 3) }, () => this.of(schema.items ?? {}));
      case "string":
        return this.#text(schema);
      case "integer":
        return random.int(schema.minimum ?? -1000, Math.min(schema.maximum ?? 1000, 2 ** 50));
      case "number":
        return (schema.minimum ?? 0) + random.float();
      case "boolean":
        return random.pick([true, false]);
      case "null":
        return null;
      default:
        if (Object.keys(schema).length === 0) return random.pick([null, 1, "any"]);
        throw new Error(`no values are known for ${JSON.stringify(schema)}`);
    }
  }

  /** With every field that must be there, and some of those that may be. */
  #object({ properties = {}, required = [] }: JsonSchema): Record<string, unknown> {
    const there = Object.entries(properties).filter(
      ([name]) => required.includes(name) || this.random.float() < 0.5,
    );
    return Object.fromEntries(there.map(([name, schema]) => [name, this.of(schema)]));
  }

  #text({ format, pattern, minLength = 0, maxLength = MAX_LENGTH }: JsonSchema): string {
    const { random } = this;
    if (format === "uuid") return uuid(random);
    if (format === "date-time") return new Date(random.int(0, 2 ** 41)).toISOString();
    if (pattern !== undefined) return matching(pattern, random);
    const length = random.int(minLength, Math.max(minLength, Math.min(maxLength, MAX_LENGTH)));
    return String.fromCharCode(...Array.from({ length }, () => random.int(0x20, 0x7e)));
  }
}

function uuid(random: Random): string {
  const hex = Buffer.from(random.bytes(16)).toString("hex");
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `7${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
  ];
  return [...parts, hex.slice(20)].join("-");
}

/**
 * A text that matches a pattern of characters, classes and counts.
 * @throws Error for a pattern that has more than these
 */
function matching(pattern: string, random: Random): string {
  const piece = /(\[[^\]]+\]|\\.|[^\\[\](){}|*+?^$])(?:\{(\d+)(?:,(\d*))?\}|([*+?]))?/g;
  const made = pattern.replace(piece, (_, atom, least, most, sign) => {
    const low = least === undefined ? (sign === "+" || sign === undefined ? 1 : 0) : Number(least);
    const high = most
      ? Number(most)
      : (sign ?? most) === undefined || sign === "?"
        ? 1
        : MAX_LENGTH;
    const count = random.int(low, Math.max(low, Math.min(high, MAX_LENGTH)));
    return Array.from({ length: count }, () => random.pick(charactersOf(atom))).join("");
  });
  const text = made.replace(/^\^|\$$/g, "");
  if (!new RegExp(pattern).test(text)) throw new Error(`no text is known for ${pattern}`);
  return text;
}

function charactersOf(atom: string): string[] {
  const one = new RegExp(`^${atom}$`);
  const printable = Array.from({ length: 95 }, (_, n) => String.fromCharCode(0x20 + n));
  return printable.filter((character) => one.test(character));
}
