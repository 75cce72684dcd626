import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { endpoints } from "../../lib/api/endpoints.ts";
import { ClientList, DownloadList, SignInCode, Totals } from "../../lib/api/schemas.ts";
import {
  bearer,
  call,
  completed,
  cookie,
  makeToken,
  type Name,
  NOWHERE,
  SAMPLES,
  signIn,
  system,
  useAccess,
} from "../support/access.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useAccess();

/* The access that tokens and sessions give, their expiry, and the limit on guesses. */

describe("a token for one site", () => {
  const read = async (name: Name) =>
    (await call(endpoints[name], { query: SAMPLES[name].query }, bearer("viewer-2"))).json();

  test("is shown that site alone, in every list", async () => {
    const { clients } = ClientList.parse(await read("listClients"));
    expect(clients.map(({ client_id }) => client_id)).toEqual(["site-2"]);
    const answer = await call(endpoints.listDownloads, {}, bearer("viewer-2"));
    const { downloads } = DownloadList.parse(await answer.json());
    expect(downloads.map(({ client_id }) => client_id)).toEqual(["site-2"]);
    expect(DownloadList.parse(await read("listDownloads")).downloads).toEqual([]);
    const totals = Totals.parse(await read("totals"));
    expect([totals.downloads.completed, totals.bytes_received]).toEqual([1, 100]);
  });

  test("cannot tell what another site has from what nobody has", async () => {
    for (const name of ["getDownload", "downloadContent", "downloadEvents"] as const) {
      const answers = await Promise.all(
        [completed, NOWHERE].map(async (id) =>
          (await call(endpoints[name], { of: () => id }, bearer("viewer-2"))).json(),
        ),
      );
      expect(answers[0]).toEqual(answers[1]);
    }
  });
});

test("a token that is revoked ends the events that it reads", async () => {
  await makeToken("reader", "viewer");
  const response = await call(endpoints.events, {}, bearer("reader"));
  const reader = response.body!.getReader();
  await reader.read();
  await system.api.revokeToken("reader");
  while (!(await reader.read()).done);
  expect((await call(endpoints.events, {}, bearer("reader"))).status).toBe(401);
});

test("a token says when it was used, and keeps its name while it is good", async () => {
  const tokens = await system.api.tokens();
  const of = (name: string) => tokens.find((token) => token.name === name);
  expect(of("viewer")?.last_used_at).toEqual(expect.any(String));
  expect(of("revoked")?.revoked_at).toEqual(expect.any(String));
  expect(of("viewer-2")?.sites).toEqual(["site-2"]);
  const again = (name: string) => system.api.createToken({ name, role: "viewer" });
  await expect(again("viewer")).rejects.toThrow('or revoke the token "viewer" first');
  for (const name of ["revoked", "expired"]) {
    const { token, record } = await again(name);
    expect(record).toMatchObject({ role: "viewer", revoked_at: null, expires_at: null });
    const status = async (headers: Record<string, string>) =>
      (await call(endpoints.listClients, {}, headers)).status;
    expect(await status({ Authorization: `Bearer ${token}` })).toBe(200);
    expect(await status(bearer(name))).toBe(401);
  }
  expect((await call(endpoints.listClients, {}, cookie("revoked"))).status).toBe(401);
  const limited = system.api.createToken({ name: "x", role: "admin", sites: ["site-1"] });
  await expect(limited).rejects.toThrow("an admin sees all sites");
});

test("a code that was made in a session ends with it", async () => {
  await signIn("thief", API_TOKEN);
  const path = "/api/session/code";
  const headers = cookie("thief");
  const made = await fetch(system.url + path, { method: "POST", headers });
  const { code } = SignInCode.parse(await made.json());
  await fetch(`${system.url}/api/session`, { method: "DELETE", headers });
  const body = JSON.stringify({ code });
  const redeemed = await fetch(`${system.url}/api/session`, { method: "POST", body });
  expect(redeemed.status).toBe(401);
  expect(redeemed.headers.get("Set-Cookie")).toBeNull();
});

test("who guesses tokens is told how long to wait, and whose token is right is not", async () => {
  const viewer = async () => (await call(endpoints.listClients, {}, bearer("viewer"))).status;
  expect(await viewer()).toBe(200);
  let guesses = 0;
  const guess = () =>
    call(endpoints.listClients, {}, { Authorization: `Bearer guess-${guesses++}` });
  const limited = await waitFor(async () => {
    const answer = await guess();
    return answer.status === 429 && answer;
  }, "it to be slowed");
  expect(guesses).toBeLessThanOrEqual(11);
  expect(await limited.json()).toMatchObject({ code: "rate_limited" });
  expect(Number(limited.headers.get("Retry-After"))).toBeWithin(1, 31);
  // A token that was accepted before still works while guesses are refused.
  expect(await viewer()).toBe(200);
});

test("who guesses is told how long to wait", async () => {
  const guess = () =>
    fetch(`${system.url}/api/session`, { method: "POST", body: '{"token":"a guess"}' });
  const response = await waitFor(async () => {
    const answer = await guess();
    return answer.status === 429 && answer;
  }, "it to be slowed");
  expect(await response.json()).toMatchObject({ code: "rate_limited" });
  expect(Number(response.headers.get("Retry-After"))).toBeWithin(1, 31);
});
