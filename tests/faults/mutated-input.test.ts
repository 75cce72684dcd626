import { expect, setDefaultTimeout, test } from "bun:test";
import * as z from "zod";
import { FdsError } from "../../lib/protocol/errors.ts";
import { decodeFrame, encodeFrame, HEADER_BYTES } from "../../lib/protocol/frame.ts";
import {
  ClientMessage,
  parseClientMessage,
  parseServerMessage,
  ServerMessage,
} from "../../lib/protocol/messages.ts";
import { EFFORT } from "./effort.ts";
import { SEED } from "./seeds.ts";
import { Mutator } from "../support/mutator.ts";
import { Random } from "../support/random.ts";
import { type JsonSchema, SchemaValues } from "../support/schema-values.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Parsers of network input, given random mutations. Each must return a valid result or throw an FdsError. */

const MAX_PAYLOAD = 256;
const ROUNDS = 20_000 * EFFORT;
const TIMEOUT = TEST_LIMIT * Math.max(1, EFFORT);

const random = new Random(SEED);
const mutator = new Mutator(random);

/** Runs a parser. @returns its result, or undefined if it refused the input */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FdsError)) throw error;
    expect(["protocol_error", "message_too_large"]).toContain(error.code);
    return undefined;
  }
}

test(
  `${ROUNDS} mutated frames are refused, or are what they say (FDS_SEED=${SEED})`,
  () => {
    let sound = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const size = random.int(1, MAX_PAYLOAD);
      const address = {
        stream: random.int(0, 9),
        epoch: random.int(0, 9),
        offset: random.int(0, 2 ** 40),
      };
      const right = encodeFrame(address, random.bytes(size));
      const bytes = mutator.frame(right);
      const frame = attempt(() => decodeFrame(bytes, MAX_PAYLOAD));
      if (!frame) continue;
      sound++;
      const { offset, payload, rawLength } = frame;
      expect(payload.length).toBeWithin(1, MAX_PAYLOAD + 1);
      expect(rawLength).toBeWithin(payload.length, MAX_PAYLOAD + 1);
      expect(Number.isSafeInteger(offset + rawLength)).toBe(true);
      // A payload with changed bytes must never count as intact.
      if (!frame.compressed && frame.intact) {
        expect(Buffer.compare(payload, right.subarray(HEADER_BYTES))).toBe(0);
      }
    }
    expect(sound).toBeWithin(1, ROUNDS);
  },
  TIMEOUT,
);

test.each([
  ["client", ClientMessage, parseClientMessage],
  ["server", ServerMessage, parseServerMessage],
] as const)(
  `${ROUNDS / 4} mutated messages of a %s are refused, or are of its schema (FDS_SEED=${SEED})`,
  (_, union, parse) => {
    const schema = z.toJSONSchema(union, { io: "input" }) as JsonSchema;
    const values = new SchemaValues(random);
    let sound = 0;
    for (let round = 0; round < ROUNDS / 4; round++) {
      const right = values.of(schema);
      const read = union.safeParse(right);
      // A rule across several fields cannot be expressed in JSON Schema, so some generated values are
      // invalid.
      if (read.success) expect(parse(JSON.stringify(right))).toEqual(read.data);
      const message = attempt(() => parse(mutator.json(right)));
      if (!message) continue;
      sound++;
      expect(union.parse(message)).toEqual(message);
    }
    expect(sound).toBeWithin(1, ROUNDS / 4);
  },
  TIMEOUT,
);
