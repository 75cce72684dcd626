import { basename } from "node:path";
import type { Secure } from "./security-headers.ts";

/** What our pages may do: load and call this server, and nothing else. */
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

/** Names of the page's files hold a hash of what is in them, the page itself has no such name. */
const CACHING = { page: "no-cache", file: "public, max-age=31536000, immutable" };

/**
 * Bundles a page with its scripts and styles. Bun could serve the page by itself, but with no
 * headers of ours.
 * @param page an HTML file that was imported
 * @param secure adds what every answer has
 * @returns answers by path, for the `routes` of Bun.serve
 * @throws AggregateError when it cannot be bundled
 */
export async function pageRoutes(
  page: Bun.HTMLBundle,
  secure: Secure,
): Promise<Record<string, { GET: Response }>> {
  const routes = (await bundle(page)).map(async ({ name, body, type }) => {
    const isPage = name.endsWith(".html");
    const headers = {
      ...HEADERS,
      "Content-Type": type,
      "Cache-Control": CACHING[isPage ? "page" : "file"],
    };
    return [
      isPage ? "/" : `/${name}`,
      { GET: secure(new Response(await body.arrayBuffer(), { headers })) },
    ];
  });
  return Object.fromEntries(await Promise.all(routes));
}

interface PageFile {
  name: string;
  body: Blob;
  type: string;
}

async function bundle(page: Bun.HTMLBundle): Promise<PageFile[]> {
  // A program made by `bun build --compile` brings the bundled files along.
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
