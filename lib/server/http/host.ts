/** Returns the absolute URL of a request. */
export function absoluteUrl({ url }: Request): string {
  // The URL is only a path if the Host header is missing, as in HTTP/1.0, which a load balancer's health
  // check may use.
  return url.startsWith("/") ? `http://localhost${url}` : url;
}

/** Returns the request with its absolute URL, which Hono needs. */
export function withAbsoluteUrl(request: Request): Request {
  const url = absoluteUrl(request);
  return url === request.url ? request : new Request(url, request);
}

/** Returns what is wrong with the Host header of a request, as a sentence; null: nothing. */
export function flawOfHost(request: Request): string | null {
  if (!URL.canParse(absoluteUrl(request))) return "The Host is no name of a host";
  // The runtime joins two Host headers by a comma. Such a request is refused, as a proxy in front may have
  // used the one header and this server the other.
  return request.headers.get("Host")?.includes(",") ? "Send one Host header" : null;
}
