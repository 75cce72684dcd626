import { describe, expect, test } from "bun:test";
import { contentResponse, parseRange } from "../../../lib/server/http/content.ts";
import { MD5, states } from "../../support/downloads.ts";

const BYTES = "0123456789";
const ETAG = `"${MD5}"`;

describe("a Range header", () => {
  test.each([
    // Ranges of RFC 9110, section 14.1.2: the first bytes, the last bytes, and ranges beyond the end of the
    // file.
    ["bytes=0-0", { start: 0, end: 1 }],
    ["bytes=0-4", { start: 0, end: 5 }],
    ["bytes=5-", { start: 5, end: 10 }],
    ["bytes=9-", { start: 9, end: 10 }],
    ["bytes=0-9", { start: 0, end: 10 }],
    ["bytes=8-999999999999999", { start: 8, end: 10 }],
    ["bytes=-1", { start: 9, end: 10 }],
    ["bytes=-10", { start: 0, end: 10 }],
    ["bytes=-11", { start: 0, end: 10 }],
    [" bytes=0-0 ", { start: 0, end: 1 }],
    ["bytes=007-008", { start: 7, end: 9 }],
    // Ranges that contain no byte of the file.
    ["bytes=10-", "unsatisfiable"],
    ["bytes=10-12", "unsatisfiable"],
    ["bytes=999999999999999-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    // No range, or a header that a server may ignore.
    [undefined, "all"],
    ["", "all"],
    ["bytes", "all"],
    ["bytes=", "all"],
    ["bytes=-", "all"],
    ["bytes=5-4", "all"],
    ["bytes=a-b", "all"],
    ["bytes=1.5-2", "all"],
    ["bytes=--1", "all"],
    ["bytes=+1-2", "all"],
    ["bytes=0x1-0x2", "all"],
    ["bytes=0-0,2-3", "all"],
    ["bytes=9999999999999999-", "all"],
    ["items=0-0", "all"],
    ["bytes 0-0", "all"],
  ] as const)("%p of ten bytes is %j", (header, expected) => {
    expect(parseRange(header, 10)).toEqual(expected);
  });

  test.each([
    ["bytes=0-", "unsatisfiable"],
    ["bytes=0-0", "unsatisfiable"],
    ["bytes=-1", "unsatisfiable"],
    [undefined, "all"],
  ] as const)("%p of an empty file is %j", (header, expected) => {
    expect(parseRange(header, 0)).toEqual(expected);
  });
});

/** Returns the server's response for a completed file of ten bytes. */
function answer(
  headers: Record<string, string>,
  { method = "GET", name = "a.txt", bytes = BYTES } = {},
): Response {
  const download = { ...states.completed, savedPath: `restaurant-001/${name}` };
  const blob = new Blob([bytes]);
  const file = { size: blob.size, slice: (start: number, end: number) => blob.slice(start, end) };
  return contentResponse(download, file, new Request("http://server/", { method, headers }));
}

describe("the content", () => {
  test.each([
    ["all of it", {}, 200, BYTES, null],
    ["a range", { Range: "bytes=2-4" }, 206, "234", "bytes 2-4/10"],
    ["the end", { Range: "bytes=-3" }, 206, "789", "bytes 7-9/10"],
    ["a range outside", { Range: "bytes=10-" }, 416, "", "bytes */10"],
    ["two ranges", { Range: "bytes=0-0,2-2" }, 200, BYTES, null],
    ["a range of this file", { Range: "bytes=2-4", "If-Range": ETAG }, 206, "234", "bytes 2-4/10"],
    ["a range of another file", { Range: "bytes=2-4", "If-Range": '"other"' }, 200, BYTES, null],
    ["a range by a weak tag", { Range: "bytes=2-4", "If-Range": `W/${ETAG}` }, 200, BYTES, null],
    [
      "a range by a date",
      { Range: "bytes=2-4", "If-Range": "Tue, 14 Nov 2023 22:13:20 GMT" },
      200,
      BYTES,
      null,
    ],
    ["what is known", { "If-None-Match": ETAG }, 304, "", null],
    ["what is known, weakly", { "If-None-Match": `"x", W/${ETAG}` }, 304, "", null],
    ["anything new", { "If-None-Match": "*" }, 304, "", null],
    ["another file", { "If-None-Match": '"other"' }, 200, BYTES, null],
    ["a range of what is known", { Range: "bytes=2-4", "If-None-Match": ETAG }, 304, "", null],
  ] as const)("as %s", async (_, headers, status, body, contentRange) => {
    const response = answer(headers);
    expect(response.status).toBe(status);
    expect(response.headers.get("Content-Range")).toBe(contentRange);
    expect(response.headers.get("ETag")).toBe(ETAG);
    expect(response.headers.get("Accept-Ranges")).toBe("bytes");
    if (status < 300) expect(response.headers.get("Content-Length")).toBe(String(body.length));
    expect(await response.text()).toBe(body);
  });

  test("of an empty file", async () => {
    const response = answer({}, { bytes: "" });
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Length")).toBe("0");
    expect(await response.text()).toBe("");
  });

  test("by HEAD is the whole file's headers: a range is for GET alone (RFC 9110, 14.2)", () => {
    const response = answer({ Range: "bytes=2-4" }, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Length")).toBe("10");
  });

  test("is nothing that a browser would show", () => {
    const { headers } = answer({}, { name: "evil.html" });
    expect(headers.get("Content-Type")).toBe("application/octet-stream");
  });

  test.each([
    ["a.txt", `attachment; filename="a.txt"; filename*=UTF-8''a.txt`],
    ["a b.txt", `attachment; filename="a b.txt"; filename*=UTF-8''a%20b.txt`],
    ['a"b.txt', `attachment; filename="a_b.txt"; filename*=UTF-8''a%22b.txt`],
    ["100%41.txt", `attachment; filename="100_41.txt"; filename*=UTF-8''100%2541.txt`],
    ["a\\b.txt", `attachment; filename="a_b.txt"; filename*=UTF-8''a%5Cb.txt`],
    ["a'(*)b", `attachment; filename="a'(*)b"; filename*=UTF-8''a%27%28%2A%29b`],
    [
      "a\r\nSet-Cookie: x",
      `attachment; filename="a__Set-Cookie: x"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x`,
    ],
    [
      "смета.txt",
      `attachment; filename="_____.txt"; filename*=UTF-8''%D1%81%D0%BC%D0%B5%D1%82%D0%B0.txt`,
    ],
  ])("is saved under its own name: %p", (name, expected) => {
    expect(answer({}, { name }).headers.get("Content-Disposition")).toBe(expected);
  });
});
