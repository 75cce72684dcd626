import { expect, test } from "bun:test";
import {
  encode,
  queryString,
  signed,
  type Unsigned,
} from "../../../../lib/server/storage/s3/signature.ts";

/* The examples of AWS's documentation for Signature Version 4 in headers. */

const CREDENTIALS = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
};
const NOW = Date.UTC(2013, 4, 24);
const NO_BODY = new Bun.CryptoHasher("sha256").digest("hex");
const HOST = "examplebucket.s3.amazonaws.com";

function signatureOf(headers: Record<string, string>): string | undefined {
  return headers["authorization"]?.split("Signature=")[1];
}

interface Example {
  example: string;
  request: Pick<Unsigned, "method" | "path" | "query" | "headers">;
  body: string | null;
  signature: string;
}

const EXAMPLES: Example[] = [
  {
    example: "an object's range",
    request: { method: "GET", path: "/test.txt", query: {}, headers: { range: "bytes=0-9" } },
    body: null,
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  },
  {
    example: "an object that is put",
    request: {
      method: "PUT",
      path: `/${encode("test$file.text")}`,
      query: {},
      headers: {
        date: "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
      },
    },
    body: "Welcome to Amazon S3.",
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  },
  {
    example: "a query without a value",
    request: { method: "GET", path: "/", query: { lifecycle: "" }, headers: {} },
    body: null,
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  },
  {
    example: "a list of objects",
    request: { method: "GET", path: "/", query: { prefix: "J", "max-keys": "2" }, headers: {} },
    body: null,
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  },
];

test.each(EXAMPLES)(
  "AWS's example is signed as they sign it: $example",
  ({ request, body, signature }) => {
    const bodyHash =
      body === null ? NO_BODY : new Bun.CryptoHasher("sha256").update(body).digest("hex");
    const headers = signed({ ...request, host: HOST, bodyHash }, CREDENTIALS, NOW);
    expect(signatureOf(headers)).toBe(signature);
    expect(headers["x-amz-date"]).toBe("20130524T000000Z");
  },
);

test("the secret is in no header", () => {
  const request = { method: "GET", host: HOST, path: "/", query: {}, headers: {} };
  const headers = signed({ ...request, bodyHash: NO_BODY }, CREDENTIALS, NOW);
  expect(JSON.stringify(headers)).not.toContain(CREDENTIALS.secretAccessKey);
});

test("what is not an unreserved character is encoded, byte by byte", () => {
  expect(encode("a-Z_0.9~")).toBe("a-Z_0.9~");
  expect(encode("!'()*+ /é")).toBe("%21%27%28%29%2A%2B%20%2F%C3%A9");
});

test("a query is in the order of its names", () => {
  expect(queryString({ uploadId: "b/=", partNumber: "1" })).toBe("partNumber=1&uploadId=b%2F%3D");
});
