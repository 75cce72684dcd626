/** The complete URL of a request. */
export function addressAsked({ url }: Request): string {
  // HTTP/1.0 has no Host header, and a load balancer's health check may use it.
  return url.startsWith("/") ? `http://localhost${url}` : url;
}

/** The request with its complete URL, as Hono needs it. */
export function addressed(request: Request): Request {
  const url = addressAsked(request);
  return url === request.url ? request : new Request(url, request);
}

/** Why a request cannot be answered under its Host, as a sentence; null: it can. */
export function flawOfHost(request: Request): string | null {
  if (!URL.canParse(addressAsked(request))) return "The Host is no name of a host";
  // Two headers, which the runtime joins: a proxy on the way may have used the other one.
  return request.headers.get("Host")?.includes(",") ? "Send one Host header" : null;
}
