import { basename } from "node:path";
import { hasEntityTag } from "./content.ts";
import type { Secure } from "./security-headers.ts";

/** Headers of the dashboard's files. They let a page load files and fetch data from this server only. */
const HEADERS = {
  "Content-Security-Policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
};

/**
 * Cache-Control headers. The names of bundled files contain a hash of their content, so they can be cached
 * forever. The page itself has a fixed name.
 */
const CACHING = { page: "no-cache", file: "public, max-age=31536000, immutable" };

/** The responses to GET for the dashboard's files, for {@link pageAnswer}. The key is the file's path. */
export type Pages = Readonly<Record<string, { GET: Response }>>;

/**
 * Bundles a page with its scripts and styles. Bun could serve the page itself, but without the security
 * headers.
 * @param page an imported HTML file
 * @param secure adds the security headers that all responses have
 * @throws AggregateError if the page cannot be bundled
 */
export async function pageRoutes(page: Bun.HTMLBundle, secure: Secure): Promise<Pages> {
  const routes = (await bundle(page)).map(async ({ name, body, type }) => {
    const isPage = name.endsWith(".html");
    const content = new Uint8Array(await body.arrayBuffer());
    const headers = {
      ...HEADERS,
      "Content-Type": type,
      "Content-Length": String(content.length),
      "Cache-Control": CACHING[isPage ? "page" : "file"],
      ETag: `"${Bun.hash(content).toString(16)}"`,
    };
    return [isPage ? "/" : `/${name}`, { GET: secure(new Response(content, { headers })) }];
  });
  return Object.fromEntries(await Promise.all(routes));
}

/**
 * Returns the response for a file of the dashboard, or status 304 if the browser's cached copy is current.
 */
export function pageAnswer({ GET: page }: Pages[string], request: Request): Response {
  const { headers } = page;
  if (hasEntityTag(request.headers.get("If-None-Match"), headers.get("ETag") ?? "")) {
    const notModifiedHeaders = new Headers(headers);
    notModifiedHeaders.delete("Content-Length");
    return new Response(null, { status: 304, headers: notModifiedHeaders });
  }
  // The cast is needed, as another library declares the class Response differently.
  return page.clone() as Response;
}

interface PageFile {
  name: string;
  body: Blob;
  type: string;
}

async function bundle(page: Bun.HTMLBundle): Promise<PageFile[]> {
  // A program made by `bun build --compile` already contains the bundled files, so nothing is bundled.
  if (page.files) {
    return page.files.map(({ path, headers }) => ({
      name: basename(path),
      body: Bun.file(path),
      type: headers["content-type"],
    }));
  }
  const { outputs } = await Bun.build({ entrypoints: [page.index], minify: true });
  return outputs.map((file) => ({ name: basename(file.path), body: file, type: file.type }));
}
