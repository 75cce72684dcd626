/**
 * Makes calls that a test makes by itself pass by the proxy that a developer's environment may name:
 * it could not reach what listens on our loopback. `fetch` reads the variable at each call.
 */
export function bypassProxyForLoopback(env: Record<string, string | undefined>): void {
  const others = env["no_proxy"] ?? env["NO_PROXY"];
  const hosts = [...(others ? [others] : []), "localhost", "127.0.0.1", "::1"];
  env["no_proxy"] = [...new Set(hosts)].join(",");
}
