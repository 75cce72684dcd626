/**
 * Makes this process connect to loopback addresses directly, without the HTTP proxy that the environment may
 * name. `fetch` reads `no_proxy` at each call.
 */
export function bypassProxyForLoopback(env: Record<string, string | undefined>): void {
  const others = env["no_proxy"] ?? env["NO_PROXY"];
  const hosts = [...(others ? [others] : []), "localhost", "127.0.0.1", "::1"];
  env["no_proxy"] = [...new Set(hosts)].join(",");
}
