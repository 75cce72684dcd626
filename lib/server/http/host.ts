/** The whole address that a request asks for. */
export function addressAsked({ url }: Request): string {
  // HTTP/1.0 has no Host; a load balancer's health check may be of that age.
  return url.startsWith("/") ? `http://localhost${url}` : url;
}

/** The request with its whole address, as Hono needs it. */
export function addressed(request: Request): Request {
  const url = addressAsked(request);
  return url === request.url ? request : new Request(url, request);
}

/** Why a request cannot be answered under the Host that it names, in words; null: it can. */
export function flawOfHost(request: Request): string | null {
  if (!URL.canParse(addressAsked(request))) return "The Host is no name of a host";
  // Two of them, which the runtime joins: a proxy on the way may have looked at the other one.
  return request.headers.get("Host")?.includes(",") ? "Send one Host header" : null;
}
