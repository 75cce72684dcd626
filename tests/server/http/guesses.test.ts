import { describe, expect, test } from "bun:test";
import { BOOTSTRAP_ADMIN } from "../../../lib/server/access/caller.ts";
import { callerOf } from "../../../lib/server/http/authentication.ts";
import { codeOfRejection } from "../../support/errors.ts";
import {
  access,
  begin,
  clock,
  FROM,
  guesses,
  request,
  TOKEN,
  tokenFor,
  tokens,
  useSignIn,
} from "../../support/sign-in.ts";

useSignIn();

/* Limits on guesses of tokens: whoever guesses has to wait, and nobody else. */

describe("whoever guesses", () => {
  const guess = (from: string) => codeOfRejection(begin({ token: "a guess" }, from));

  test("waits after ten failures, the right token too, and nobody else does", async () => {
    for (let n = 0; n < 10; n++) expect(await guess(FROM)).toBe("unauthorized");
    expect(await guess(FROM)).toBe("rate_limited");
    expect(await codeOfRejection(begin())).toBe("rate_limited");
    expect(await codeOfRejection(begin({ token: TOKEN }, "192.0.2.2"))).toBeUndefined();
    clock.time += 30_000;
    expect(await guess(FROM)).toBe("unauthorized");
    expect(await guess(FROM)).toBe("rate_limited");
    clock.time += 30_000;
    expect(await codeOfRejection(begin())).toBeUndefined();
  });

  test("gets no more tries for making them at once", async () => {
    const codes = await Promise.all(Array.from({ length: 50 }, () => guess(FROM)));
    expect(codes.filter((code) => code === "unauthorized")).toHaveLength(10);
  });

  test("has all addresses of an IPv6 network", async () => {
    for (let n = 0; n < 10; n++) await guess(`2001:db8::${n}`);
    expect(await guess("2001:db8:0:0:ffff::")).toBe("rate_limited");
    expect(await guess("2001:db8:0:1::1")).toBe("unauthorized");
  });

  test("is nobody who is right, however many sign in at the same time", async () => {
    const slow = () => Bun.sleep(1).then(() => BOOTSTRAP_ADMIN);
    const all = Array.from({ length: 50 }, () => guesses.signIn(FROM, slow));
    expect(await Promise.all(all)).toEqual(all.map(() => BOOTSTRAP_ADMIN));
    for (let n = 0; n < 10; n++) expect(await guess(FROM)).toBe("unauthorized");
    expect(await guess(FROM)).toBe("rate_limited");
  });

  test("is nobody while secrets cannot be looked up", async () => {
    const lost = () => Promise.reject(new Error("the database is away"));
    for (let n = 0; n < 20; n++) {
      await expect(guesses.signIn(FROM, lost)).rejects.toThrow("the database is away");
    }
    expect(await guess(FROM)).toBe("unauthorized");
  });

  test("is forgotten where too many others came after it", async () => {
    for (let n = 0; n < 10; n++) await guess(FROM);
    for (let n = 0; n < 10_000; n++) await guess(`10.0.${n >> 8}.${n & 255}`);
    expect(await guess(FROM)).toBe("unauthorized");
  });

  describe("by an Authorization header", () => {
    const call = (token: string, from = FROM) =>
      codeOfRejection(callerOf(request({ Authorization: `Bearer ${token}` }), from, access()));

    test("waits as long, with the right token too, and to sign in", async () => {
      for (let n = 0; n < 10; n++) expect(await call(`guess-${n}`)).toBe("unauthorized");
      for (const token of ["another-guess", TOKEN]) expect(await call(token)).toBe("rate_limited");
      expect(await codeOfRejection(begin())).toBe("rate_limited");
      expect(await call("guess-10", "192.0.2.2")).toBe("unauthorized");
      clock.time += 30_000;
      expect(await call("guess-11")).toBe("unauthorized");
      expect(await call("guess-12")).toBe("rate_limited");
    });

    test("keeps nobody out whose token was right before", async () => {
      const { secret } = await tokenFor("till");
      for (const token of [TOKEN, secret]) expect(await call(token)).toBeUndefined();
      for (let n = 0; n < 11; n++) await call(`guess-${n}`);
      for (const token of [TOKEN, secret]) expect(await call(token)).toBeUndefined();
      expect(await call(TOKEN, "192.0.2.2")).toBeUndefined();
    });

    test("is who shows another token each time, not an old one again and again", async () => {
      const { secret } = await tokenFor("till");
      await tokens.revoke("till");
      for (let n = 0; n < 50; n++) {
        expect(await call("an-old-one")).toBe("unauthorized");
        expect(await call(secret)).toBe("unauthorized");
      }
      expect(await call(TOKEN)).toBeUndefined();
    });
  });

  test("is not made of a person who signs in again and again", async () => {
    for (let n = 0; n < 50; n++) expect(await codeOfRejection(begin())).toBeUndefined();
  });
});
