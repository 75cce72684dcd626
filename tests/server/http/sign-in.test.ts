import { describe, expect, test } from "bun:test";
import { BOOTSTRAP_ADMIN } from "../../../lib/server/access/caller.ts";
import { callerOf, requireCsrfSafe } from "../../../lib/server/http/authentication.ts";
import { NOW } from "../../support/downloads.ts";
import { codeOf, codeOfRejection } from "../../support/errors.ts";
import {
  access,
  ADDRESS,
  begin,
  clock,
  FROM,
  make,
  openCalls,
  request,
  signIn,
  TOKEN,
  tokenFor,
  tokens,
  useSignIn,
} from "../../support/sign-in.ts";

useSignIn();

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

describe("a session", () => {
  test("begins with the token, and is known by its cookie", async () => {
    const { expiresAt, cookie } = await signIn.signIn({ token: TOKEN }, request(), FROM);
    expect(expiresAt).toBe(NOW + 7 * DAY_MS);
    const shown = cookie.split(";")[0]!;
    expect(await signIn.sessionOf(request({ Cookie: `a=b; ${shown}; c` }))).toMatchObject({
      name: "API_TOKEN",
      role: "admin",
      expiresAt,
    });
  });

  test("has the role and the sites of its token, and ends no later", async () => {
    const order = { role: "operator", sites: ["site-1"], expires_in_seconds: 60 };
    const { secret } = await tokenFor("till", order);
    const cookie = await begin({ token: secret });
    expect(await signIn.sessionOf(request(cookie))).toMatchObject({
      name: "till",
      role: "operator",
      sites: new Set(["site-1"]),
      expiresAt: NOW + MINUTE_MS,
    });
    clock.time += MINUTE_MS;
    expect(await signIn.sessionOf(request(cookie))).toBeNull();
  });

  test("ends in time", async () => {
    const cookie = await begin();
    clock.time = NOW + 7 * DAY_MS - 1;
    expect(await signIn.sessionOf(request(cookie))).not.toBeNull();
    clock.time = NOW + 7 * DAY_MS;
    expect(await signIn.sessionOf(request(cookie))).toBeNull();
  });

  test("outlives a restart, but not another API_TOKEN", async () => {
    const cookie = await begin();
    expect(await make().sessionOf(request(cookie))).not.toBeNull();
    expect(await make("another-token").sessionOf(request(cookie))).toBeNull();
  });

  test("ends with its token, and with it what is open", async () => {
    const { secret } = await tokenFor("till");
    const cookie = await begin({ token: secret });
    const other = await begin();
    let ended = 0;
    openCalls.add((await signIn.sessionOf(request(cookie)))!, () => ended++);
    await tokens.revoke("till");
    expect(ended).toBe(1);
    expect(await signIn.sessionOf(request(cookie))).toBeNull();
    expect(await signIn.sessionOf(request(other))).not.toBeNull();
  });

  test("says why it is good no more", async () => {
    const { secret } = await tokenFor("till");
    const [gone, late] = [await begin(), await begin()];
    const revoked = await begin({ token: secret });
    const endOf = (cookie: object) => signIn.endOf(request({ ...cookie }));
    expect(await Promise.all([gone, late, revoked].map(endOf))).toEqual([null, null, null]);
    expect(await signIn.endOf(request())).toBeNull();
    await signIn.signOut(request(gone));
    await tokens.revoke("till");
    expect(await endOf(revoked)).toBe("revoked");
    expect(await make("another-token").endOf(request(late))).toBe("signed_out");
    clock.time = NOW + 7 * DAY_MS;
    expect(await endOf(gone)).toBe("signed_out");
    expect(await endOf(late)).toBe("expired");
  });

  test("is nothing to a new token of the old name", async () => {
    const { secret } = await tokenFor("till");
    const cookie = await begin({ token: secret });
    const { code } = await signIn.newCode(await tokens.callerOf(secret));
    await tokens.revoke("till");
    await tokenFor("till", { role: "admin" });
    expect(await signIn.sessionOf(request(cookie))).toBeNull();
    expect(await codeOfRejection(begin({ code }))).toBe("unauthorized");
  });

  test("is over for every copy of its cookie once it is signed out", async () => {
    const [mine, other] = [await begin(), await begin()];
    let ended = 0;
    openCalls.add((await signIn.sessionOf(request(mine)))!, () => ended++);
    expect(await signIn.signOut(request(mine))).toMatch(/^fds_session_8080=; .*Max-Age=0;/);
    expect(ended).toBe(1);
    expect(await signIn.sessionOf(request(mine))).toBeNull();
    expect(await signIn.sessionOf(request(other))).not.toBeNull();
  });

  test("cannot be made up, and is not what is kept of it", async () => {
    const [name, value = ""] = (await begin()).Cookie.split("=");
    const caller = await signIn.sessionOf(request({ Cookie: `${name}=${value}` }));
    const kept = caller?.sessionHash ?? "";
    expect(kept).toMatch(/^[0-9a-f]{64}$/);
    for (const forged of ["", "1", `${value}x`, value.slice(0, -1), kept]) {
      expect(await signIn.sessionOf(request({ Cookie: `${name}=${forged}` })), forged).toBeNull();
    }
    expect(await signIn.sessionOf(request())).toBeNull();
  });

  test("begins with nothing else", async () => {
    for (const wrong of [{}, { token: "" }, { token: "wrong" }, { code: "" }, { code: TOKEN }]) {
      expect(await codeOfRejection(begin(wrong))).toBe("unauthorized");
    }
  });

  test("has a cookie that scripts and other sites do not get", async () => {
    const cookieOf = async (from: Request) =>
      (await signIn.signIn({ token: TOKEN }, from, FROM)).cookie;
    expect(await cookieOf(request())).toMatch(
      /^fds_session_8080=\S+; Max-Age=604800; HttpOnly; SameSite=Strict$/,
    );
    const tls = request({}, "POST", "/api/session", "https://files.example");
    expect(await cookieOf(tls)).toMatch(
      /^fds_session_default=\S+; Max-Age=604800; HttpOnly; Secure; SameSite=Strict$/,
    );
    const proxied = request({ Origin: "https://files.example" });
    expect(await cookieOf(proxied)).toEndWith("; HttpOnly; Secure; SameSite=Strict");
  });

  test("of a server on another port does not count", async () => {
    const other = request(await begin(), "GET", "/", "http://files.example:9090");
    expect(await signIn.sessionOf(other)).toBeNull();
  });
});

describe("the code of a link", () => {
  test("signs in once, as whoever made it", async () => {
    const { secret } = await tokenFor("till");
    const { code, expiresAt } = await signIn.newCode(await tokens.callerOf(secret));
    expect(expiresAt).toBe(NOW + 15 * MINUTE_MS);
    expect(code).toMatch(/^[\w-]{32}$/);
    expect(await signIn.sessionOf(request(await begin({ code })))).toMatchObject({
      name: "till",
      role: "viewer",
    });
    expect(await codeOfRejection(begin({ code }))).toBe("unauthorized");
  });

  test("is good no more when the token of who made it is revoked", async () => {
    const { secret } = await tokenFor("till");
    const { code } = await signIn.newCode(await tokens.callerOf(secret));
    await tokens.revoke("till");
    expect(await codeOfRejection(begin({ code }))).toBe("unauthorized");
  });

  test("is too old after a quarter of an hour", async () => {
    const { code, expiresAt } = await signIn.newCode(BOOTSTRAP_ADMIN);
    clock.time = expiresAt;
    expect(await codeOfRejection(begin({ code }))).toBe("unauthorized");
  });

  test("is good no more when the session is signed out in which it was made", async () => {
    const cookie = await begin();
    const { code } = await signIn.newCode((await signIn.sessionOf(request(cookie)))!);
    await signIn.signOut(request(cookie));
    expect(await codeOfRejection(begin({ code }))).toBe("unauthorized");
  });

  test("begins no session that outlives the one in which it was made", async () => {
    const first = await begin();
    clock.time += DAY_MS;
    const { code } = await signIn.newCode((await signIn.sessionOf(request(first)))!);
    const second = await begin({ code });
    clock.time += DAY_MS;
    const next = await signIn.newCode((await signIn.sessionOf(request(second)))!);
    const third = await begin({ code: next.code });
    const caller = (await signIn.sessionOf(request(third)))!;
    expect(caller.expiresAt).toBe(NOW + 7 * DAY_MS);
    let ended = 0;
    openCalls.add(caller, () => ended++);
    await signIn.signOut(request(first));
    expect(ended).toBe(1);
    for (const cookie of [second, third]) {
      expect(await signIn.sessionOf(request(cookie))).toBeNull();
    }
  });

  test("ends for itself alone: the session in which it was made goes on", async () => {
    const first = await begin();
    const { code } = await signIn.newCode((await signIn.sessionOf(request(first)))!);
    await signIn.signOut(request(await begin({ code })));
    expect(await signIn.sessionOf(request(first))).not.toBeNull();
  });

  test("of one token is not pushed out by those of another one", async () => {
    const { code } = await signIn.newCode(BOOTSTRAP_ADMIN);
    const { secret } = await tokenFor("till");
    const viewer = await tokens.callerOf(secret);
    for (let n = 0; n < 1000; n++) await signIn.newCode(viewer);
    expect(await codeOfRejection(begin({ code }))).toBeUndefined();
  });

  test("is not the only one, but there are not too many", async () => {
    const codes: string[] = [];
    for (let n = 0; n < 101; n++) codes.push((await signIn.newCode(BOOTSTRAP_ADMIN)).code);
    expect(new Set(codes).size).toBe(101);
    const [first, second, last] = [codes[0]!, codes[1]!, codes[100]!];
    expect(await codeOfRejection(begin({ code: first }))).toBe("unauthorized");
    for (const code of [second, last]) {
      expect(await codeOfRejection(begin({ code }))).toBeUndefined();
    }
  });
});

describe("who may call", () => {
  const bearer = { Authorization: `Bearer ${TOKEN}` };
  const ours = { Origin: ADDRESS };
  const foreign = { Origin: "http://evil.example" };
  const SESSION = "a session";

  test.each<[string, Record<string, string>, string | undefined]>([
    // Columns: method, headers, expected error code.
    ["GET", {}, "unauthorized"],
    ["GET", bearer, undefined],
    ["GET", { Authorization: "Bearer wrong" }, "unauthorized"],
    ["GET", { Cookie: SESSION, Authorization: "Bearer wrong" }, "unauthorized"],
    ["GET", { Cookie: SESSION }, undefined],
    ["HEAD", { Cookie: SESSION }, undefined],
    ["GET", { Cookie: SESSION, ...foreign }, undefined],
    ["POST", {}, "unauthorized"],
    ["POST", ours, "unauthorized"],
    ["POST", bearer, undefined],
    ["POST", { ...bearer, ...foreign }, undefined],
    ["POST", { Cookie: SESSION }, "forbidden"],
    ["POST", { Cookie: SESSION, ...ours }, undefined],
    ["POST", { Cookie: SESSION, ...foreign }, "forbidden"],
    ["POST", { Cookie: SESSION, Origin: "null" }, "forbidden"],
    ["POST", { Cookie: SESSION, Origin: "http://files.example" }, "forbidden"],
    ["POST", { Cookie: SESSION, Origin: "https://files.example:8080" }, undefined],
    ["DELETE", { Cookie: SESSION }, "forbidden"],
    ["GET", { Authorization: `bearer ${TOKEN}` }, undefined],
    ["GET", { Authorization: `BEARER   ${TOKEN} ` }, undefined],
    ...["", TOKEN, "Bearer", "Bearer ", `Bearer ${TOKEN}x`, `Bearer ${TOKEN} x`, `Basic ${TOKEN}`]
      .map((Authorization) => ["GET", { Authorization }, "unauthorized"] as const)
      .map(([...row]) => row as [string, Record<string, string>, string]),
  ])("%s with %j → %p", async (method, headers, expected) => {
    const session = headers["Cookie"] === SESSION ? await begin() : {};
    const call = callerOf(request({ ...headers, ...session }, method), FROM, access());
    expect(await codeOfRejection(call)).toBe(expected);
  });

  test.each<[string, Record<string, string>, string | undefined]>([
    ["GET", {}, undefined],
    ["POST", {}, undefined],
    ["POST", ours, undefined],
    ["POST", foreign, "forbidden"],
    ["DELETE", { Cookie: SESSION }, "forbidden"],
    ["DELETE", { Cookie: SESSION, ...ours }, undefined],
    ["DELETE", { Cookie: SESSION, ...foreign }, "forbidden"],
  ])("what is open to anyone: %s with %j → %p", (method, headers, expected) => {
    expect(codeOf(() => requireCsrfSafe(request(headers, method), access()))).toBe(expected);
  });

  test.each<[string, string, Record<string, string>, string | undefined]>([
    // Without a token, the server accepts only calls from this machine, and not from another site's page.
    ["http://127.0.0.1:8080", "GET", {}, undefined],
    ["http://localhost:8080", "POST", {}, undefined],
    ["http://[::1]:8080", "POST", { Origin: "http://[::1]:8080" }, undefined],
    ["http://127.0.0.1:8080", "GET", { Authorization: "Bearer any" }, undefined],
    ["http://127.0.0.1:8080", "POST", { Origin: "http://evil.example" }, "forbidden"],
    ["http://127.0.0.1:8080", "POST", { Origin: "http://localhost:8080" }, "forbidden"],
    ["http://evil.example:8080", "GET", {}, "forbidden"],
    ["http://evil.example:8080", "POST", { Origin: "http://evil.example:8080" }, "forbidden"],
    ["http://127.0.0.1.evil.example", "GET", {}, "forbidden"],
  ])("without a token: %s %s with %j → %p", async (url, method, headers, expected) => {
    const open = { ...access(), apiToken: null, signIn: null };
    const asked = request(headers, method, "/", url);
    expect(await codeOfRejection(callerOf(asked, FROM, open))).toBe(expected);
    expect(codeOf(() => requireCsrfSafe(asked, open))).toBe(expected);
  });
});
