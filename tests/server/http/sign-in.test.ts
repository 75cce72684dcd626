import { describe, expect, test } from "bun:test";
import { requireAccess } from "../../../lib/server/http/access.ts";
import { SignIn } from "../../../lib/server/http/sign-in.ts";
import { NOW } from "../../support/downloads.ts";
import { codeOf } from "../../support/errors.ts";

const TOKEN = "the-operators-token";
const ADDRESS = "http://files.example:8080";
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

let time = NOW;
const make = (token = TOKEN) => {
  time = NOW;
  return new SignIn(token, () => time);
};

/** A request as a browser sends it. */
function request(
  headers: Record<string, string> = {},
  method = "GET",
  path = "/api/downloads",
  url = ADDRESS,
): Request {
  return new Request(url + path, { method, headers });
}

/** What a browser sends back of a Set-Cookie header. */
const shown = (cookie: string) => ({ Cookie: cookie.split(";")[0]! });

describe("a session", () => {
  test("begins with the token, and is known by its cookie", () => {
    const signIn = make();
    const { expiresAt, cookie } = signIn.signIn({ token: TOKEN }, request());
    expect(expiresAt).toBe(NOW + 7 * DAY_MS);
    expect(signIn.sessionOf(request(shown(cookie)))).toBe(expiresAt);
    const others = { Cookie: `a=b; ${shown(cookie).Cookie}; c` };
    expect(signIn.sessionOf(request(others))).toBe(expiresAt);
  });

  test("ends in time", () => {
    const signIn = make();
    const { expiresAt, cookie } = signIn.signIn({ token: TOKEN }, request());
    time = expiresAt - 1;
    expect(signIn.sessionOf(request(shown(cookie)))).toBe(expiresAt);
    time = expiresAt;
    expect(signIn.sessionOf(request(shown(cookie)))).toBeNull();
  });

  test("outlives a restart, but not another token", () => {
    const { cookie } = make().signIn({ token: TOKEN }, request());
    expect(make().sessionOf(request(shown(cookie)))).not.toBeNull();
    expect(make("another-token").sessionOf(request(shown(cookie)))).toBeNull();
  });

  test("cannot be made up, nor be made to last", () => {
    const signIn = make();
    const [name, value] = shown(signIn.signIn({ token: TOKEN }, request()).cookie).Cookie.split(
      "=",
    );
    const [, signature] = value!.split(".");
    for (const forged of [
      "",
      ".",
      "1",
      `${NOW + 99 * DAY_MS}.${signature}`,
      `${value}x`,
      value!.slice(0, -1),
      `NaN.${signature}`,
      `1e400.${signature}`,
    ]) {
      expect(signIn.sessionOf(request({ Cookie: `${name}=${forged}` })), forged).toBeNull();
    }
    expect(signIn.sessionOf(request())).toBeNull();
  });

  test("begins with nothing else", () => {
    const signIn = make();
    for (const wrong of [{}, { token: "" }, { token: "wrong" }, { code: "" }, { code: TOKEN }]) {
      expect(codeOf(() => signIn.signIn(wrong, request()))).toBe("unauthorized");
    }
  });

  test("has a cookie that scripts and other sites do not get", () => {
    const signIn = make();
    const plain = signIn.signIn({ token: TOKEN }, request());
    expect(plain.cookie).toMatch(
      /^fds_session_8080=\S+; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/,
    );
    const tls = request({}, "POST", "/api/session", "https://files.example");
    expect(signIn.signIn({ token: TOKEN }, tls).cookie).toMatch(/^fds_session_default=.*; Secure$/);
    const proxied = request({ Origin: "https://files.example" });
    expect(signIn.signIn({ token: TOKEN }, proxied).cookie).toEndWith("; Secure");
    expect(signIn.signOut(request())).toMatch(/^fds_session_8080=; .*Max-Age=0;/);
  });

  test("of a server on another port does not count", () => {
    const { cookie } = make().signIn({ token: TOKEN }, request());
    const other = request(shown(cookie), "GET", "/", "http://files.example:9090");
    expect(make().sessionOf(other)).toBeNull();
  });
});

describe("the code of a link", () => {
  test("signs in once", () => {
    const signIn = make();
    const { code, expiresAt } = signIn.newCode();
    expect(expiresAt).toBe(NOW + 15 * MINUTE_MS);
    expect(code).toMatch(/^[\w-]{32}$/);
    expect(signIn.sessionOf(request(shown(signIn.signIn({ code }, request()).cookie)))).toBe(
      NOW + 7 * DAY_MS,
    );
    expect(codeOf(() => signIn.signIn({ code }, request()))).toBe("unauthorized");
  });

  test("is too old after a quarter of an hour", () => {
    const signIn = make();
    const { code, expiresAt } = signIn.newCode();
    time = expiresAt;
    expect(codeOf(() => signIn.signIn({ code }, request()))).toBe("unauthorized");
  });

  test("is not the only one, but there are not too many", () => {
    const signIn = make();
    const codes = Array.from({ length: 101 }, () => signIn.newCode().code);
    expect(new Set(codes).size).toBe(101);
    const [first, second, last] = [codes[0], codes[1], codes[100]];
    expect(codeOf(() => signIn.signIn({ code: first }, request()))).toBe("unauthorized");
    for (const code of [second, last]) {
      expect(codeOf(() => signIn.signIn({ code }, request()))).toBeUndefined();
    }
  });
});

describe("who may call", () => {
  const signIn = make();
  const session = shown(signIn.signIn({ token: TOKEN }, request()).cookie);
  const bearer = { Authorization: `Bearer ${TOKEN}` };
  const ours = { Origin: ADDRESS };
  const foreign = { Origin: "http://evil.example" };
  const withToken = { apiToken: TOKEN, signIn };

  test.each<[string, Record<string, string>, boolean, string | undefined]>([
    // method, headers, open → code
    ["GET", {}, false, "unauthorized"],
    ["GET", bearer, false, undefined],
    ["GET", { Authorization: "Bearer wrong" }, false, "unauthorized"],
    ["GET", { ...session, Authorization: "Bearer wrong" }, false, "unauthorized"],
    ["GET", session, false, undefined],
    ["HEAD", session, false, undefined],
    ["GET", { ...session, ...foreign }, false, undefined],
    ["POST", {}, false, "unauthorized"],
    ["POST", ours, false, "unauthorized"],
    ["POST", bearer, false, undefined],
    ["POST", { ...bearer, ...foreign }, false, undefined],
    ["POST", session, false, "forbidden"],
    ["POST", { ...session, ...ours }, false, undefined],
    ["POST", { ...session, ...foreign }, false, "forbidden"],
    ["POST", { ...session, Origin: "null" }, false, "forbidden"],
    ["POST", { ...session, Origin: "http://files.example" }, false, "forbidden"],
    ["POST", { ...session, Origin: "https://files.example:8080" }, false, undefined],
    ["DELETE", session, false, "forbidden"],
    ["GET", {}, true, undefined],
    ["POST", {}, true, undefined],
    ["POST", ours, true, undefined],
    ["POST", foreign, true, "forbidden"],
    ["DELETE", { ...session, ...foreign }, true, "forbidden"],
  ])("%s with %j, open: %p → %p", (method, headers, open, expected) => {
    const call = () => requireAccess(request(headers, method), withToken, open);
    expect(codeOf(call)).toBe(expected);
  });

  test.each<[string, string, Record<string, string>, string | undefined]>([
    // A server without a token: only from this machine, and not led by another site's page.
    ["http://127.0.0.1:8080", "GET", {}, undefined],
    ["http://localhost:8080", "POST", {}, undefined],
    ["http://[::1]:8080", "POST", { Origin: "http://[::1]:8080" }, undefined],
    ["http://127.0.0.1:8080", "GET", { Authorization: "Bearer any" }, undefined],
    ["http://127.0.0.1:8080", "POST", { Origin: "http://evil.example" }, "forbidden"],
    ["http://127.0.0.1:8080", "POST", { Origin: "http://localhost:8080" }, "forbidden"],
    ["http://evil.example:8080", "GET", {}, "forbidden"],
    ["http://evil.example:8080", "POST", { Origin: "http://evil.example:8080" }, "forbidden"],
    ["http://127.0.0.1.evil.example", "GET", {}, "forbidden"],
  ])("without a token: %s %s with %j → %p", (url, method, headers, expected) => {
    const call = () =>
      requireAccess(request(headers, method, "/", url), { apiToken: null, signIn: null });
    expect(codeOf(call)).toBe(expected);
  });
});
