import * as fc from "fast-check";
import type { Random } from "./random.ts";

/** The part of JSON Schema that zod generates. */
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

/** Maximum length of generated strings, in characters. Longer ones are left to the mutator. */
const MAX_LENGTH = 24;

/** Printable ASCII, because the generated text may be sent as an HTTP header. */
const PRINTABLE = /^[ -~]*$/;

/**
 * Generates random values that a JSON schema allows.
 * @param named the schemas that `$ref` refers to, by the last segment of the reference
 */
export class SchemaValues {
  /** Generated strings for each pattern. */
  readonly #texts = new Map<string, string[]>();

  constructor(
    private readonly random: Random,
    private readonly named: Record<string, JsonSchema> = {},
  ) {}

  /** Returns a random value that the schema allows. @throws Error for an unsupported schema */
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

  /** Returns an object with all required fields, and each optional field with a probability of one half. */
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
    if (pattern !== undefined) return this.#matching(pattern);
    const length = random.int(minLength, Math.max(minLength, Math.min(maxLength, MAX_LENGTH)));
    return String.fromCharCode(...Array.from({ length }, () => random.int(0x20, 0x7e)));
  }

  /** Returns a string that matches a pattern, from 50 strings generated once per pattern. */
  #matching(pattern: string): string {
    let texts = this.#texts.get(pattern);
    if (!texts) {
      const made = fc.stringMatching(new RegExp(pattern)).filter((text) => PRINTABLE.test(text));
      texts = fc.sample(made, { seed: this.random.int(0, 2 ** 31), numRuns: 50 });
      this.#texts.set(pattern, texts);
    }
    return this.random.pick(texts);
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
