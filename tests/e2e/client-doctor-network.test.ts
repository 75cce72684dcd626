import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Authority, openssl } from "../support/certificates.ts";
import { doctor, system, useClientDoctor } from "../support/client-doctor-stage.ts";
import { PROXY_PASSWORD, serveOverTls } from "../support/client-doctor.ts";
import { HandmadeServer } from "../support/handmade-server.ts";
import { lacksFaketime } from "../support/machine.ts";
import { WallClock } from "../support/wall-clock.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useClientDoctor();

/* Findings of `client doctor` for each network problem between the client and the server. */

const NO_OPENSSL = openssl.isThere ? "" : ` (${openssl.hint})`;

describe("what is wrong on the way", () => {
  test("a name that nobody knows", async () => {
    const server = "https://no-such-name.invalid";
    const words = /nobody knows the name "no-such-name.invalid" .* → check how it is spelled/;
    const { statuses } = await doctor.expectWrong({ server }, "name lookup", words);
    expect(statuses).toMatchObject({ connection: "not_tried", TLS: "not_tried" });
  });

  test("a port at which nobody listens", () =>
    doctor.expectWrong(
      { server: "http://127.0.0.1:1" },
      "connection",
      /nobody listens at 127.0.0.1, port 1 → check the port in SERVER_URL/,
    ));

  test.each([
    ["that wants a password", "407 Proxy Authentication Required", /wants a user and a password/],
    ["that lets nobody through", "403 Forbidden", /ask whoever runs the proxy to let/],
    ["that does not find the server", "502 Bad Gateway", /has no way to far.test/],
  ])("a proxy %s", async (_, first, advice) => {
    const answer = `HTTP/1.1 ${first}\r\nContent-Length: 0\r\n\r\n`;
    await using proxy = await HandmadeServer.listen((socket) => socket.end(answer));
    const env = { HTTPS_PROXY: proxy.url.replace("//", `//user:${PROXY_PASSWORD}@`) };
    const { wrong } = await doctor.expectWrong(
      { server: "https://far.test", env },
      "proxy",
      advice,
    );
    expect(wrong["proxy"]).toContain(`answered "HTTP/1.1 ${first}"`);
  });

  test("a page to sign in at, in place of the server", async () => {
    await using portal = await HandmadeServer.listen((socket) =>
      socket.end("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"),
    );
    const words =
      /another program answers .*200, text\/html.* → if this network has a sign-in page/;
    await doctor.expectWrong({ server: portal.url }, "server", words);
  });

  test("a redirection to such a page", async () => {
    const head = "HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\nContent-Length: 0\r\n\r\n";
    await using portal = await HandmadeServer.listen((socket) => socket.end(head));
    await doctor.expectWrong({ server: portal.url }, "server", /leads to "http:\/\/login.test\/"/);
  });

  test("a server that speaks no HTTP", async () => {
    await using server = await HandmadeServer.listen((socket) => socket.end("SSH-2.0-OpenSSH\r\n"));
    await doctor.expectWrong(
      { server: server.url },
      "server",
      /does not speak HTTP → check SERVER_URL/,
    );
  });

  test("a server that says nothing at all", async () => {
    await using server = await HandmadeServer.listen(() => {});
    await doctor.expectWrong(
      { server: server.url },
      "server",
      /says nothing in 4 s → check SERVER_URL/,
    );
  });

  test.skipIf(!openssl.isThere)(`no TLS to a server that has it${NO_OPENSSL}`, async () => {
    const authority = await Authority.make(system.folder, "plain");
    await using server = await serveOverTls(await authority.sign("plain-server", "serverAuth"));
    const words = /→ check SERVER_URL: with TLS it begins with https:/;
    await doctor.expectWrong({ server: server.url.replace("https:", "http:") }, "server", words);
  });

  test("TLS to a server that has none", () =>
    doctor.expectWrong(
      { server: system.url.replace("http:", "https:") },
      "TLS",
      /does not speak TLS/,
    ));

  test.skipIf(lacksFaketime !== "")(`a clock that is an hour off${lacksFaketime}`, async () => {
    const clock = new WallClock(system.folder, "doctor");
    clock.set(-1 / 24);
    const words = /60 minutes behind the server's → set this machine's clock/;
    await doctor.expectWrong({ env: clock.env }, "clock", words);
  });
});
