import { describe, expect, test } from "bun:test";
import { clearTextWarning, namesServer, readConnection } from "../../../lib/cli/rest/connection.ts";
import { UsageError } from "../../../lib/util/flags.ts";

describe("the server's address", () => {
  test.each<[string, Record<string, string>, Record<string, string>, string]>([
    ["nothing is set", {}, {}, "http://localhost:8080"],
    ["the port of a server here", {}, { SERVER_PORT: "9000" }, "http://localhost:9000"],
    ["a server here with a certificate", {}, { TLS_CERT: "cert.pem" }, "https://localhost:8080"],
    ["one that listens at one address", {}, { SERVER_HOST: "::2" }, "http://[::2]:8080"],
    ["one at another loopback address", {}, { SERVER_HOST: "127.0.0.2" }, "http://127.0.0.2:8080"],
    ["one that listens everywhere", {}, { SERVER_HOST: "0.0.0.0" }, "http://localhost:8080"],
    ["an address", {}, { SERVER_URL: "https://a.example" }, "https://a.example"],
    ["as clients have it", {}, { SERVER_URL: "wss://a.example/" }, "https://a.example"],
    ["below a path", {}, { SERVER_URL: "ws://a.example/files/" }, "http://a.example/files"],
    ["a flag before it", { server: "http://b" }, { SERVER_URL: "http://a" }, "http://b"],
    ["an empty one", {}, { SERVER_URL: "", SERVER_PORT: "" }, "http://localhost:8080"],
  ])("%s", (_, flags, env, server) => {
    expect(readConnection(flags, env).server).toBe(server);
  });

  test.each([
    ["SERVER_URL", {}, { SERVER_URL: "localhost:8080" }],
    ["SERVER_URL", {}, { SERVER_URL: "ftp://a" }],
    ["SERVER_URL", {}, { SERVER_URL: "http://user:secret@a" }],
    ["SERVER_PORT", {}, { SERVER_PORT: "0" }],
    ["--server", { server: "" }, {}],
    ["TLS_CA", {}, { TLS_CA: "/there/is/no.pem" }],
  ])("a wrong %s is told by its name", (name, flags, env) => {
    expect(() => readConnection(flags, env)).toThrow(UsageError);
    expect(() => readConnection(flags, env)).toThrow(new RegExp(`^${name} is `));
  });

  test("is named by a person, or it is not", () => {
    expect(namesServer({}, { SERVER_PORT: "1", SERVER_URL: "" })).toBe(false);
    expect(namesServer({}, { SERVER_URL: "http://a" })).toBe(true);
    expect(namesServer({ server: "http://a" }, {})).toBe(true);
  });
});

describe("the token", () => {
  test("comes from the flag, or the environment, or there is none", () => {
    expect(readConnection({ token: "a" }, { API_TOKEN: "b" }).token).toBe("a");
    expect(readConnection({}, { API_TOKEN: "b" }).token).toBe("b");
    expect(readConnection({}, { API_TOKEN: "" })).not.toHaveProperty("token");
  });

  test("is not repeated where it is wrong", () => {
    const read = () => readConnection({}, { API_TOKEN: "se cret" });
    expect(read).toThrow(/^API_TOKEN has a wrong value/);
    expect(read).not.toThrow(/se cret/);
  });

  test.each<[string, string, Record<string, string>, boolean]>([
    ["to another machine without TLS", "http://files.example.com", {}, true],
    ["the same by its address", "http://192.0.2.1:8080", {}, true],
    ["with TLS", "https://files.example.com", {}, false],
    ["to this machine", "http://localhost:8080", {}, false],
    ["to this machine by another address", "http://127.0.0.2:8080", {}, false],
    ["where the way is safe by itself", "http://10.0.0.1", { INSECURE: "true" }, false],
  ])("that goes %s: %s", (_, server, env, isTold) => {
    const host = new URL(server).hostname;
    const warning = clearTextWarning({ server, token: "secret" }, env);
    expect(warning === null ? null : warning.includes(`"${host}"`)).toBe(isTold || null);
    expect(warning ?? "").not.toContain("secret");
    expect(clearTextWarning({ server }, env)).toBeNull();
  });
});
