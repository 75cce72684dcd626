import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pageRoutes } from "../../../lib/server/http/page.ts";
import { securityHeaders } from "../../../lib/server/http/security-headers.ts";

const PAGE = `<!doctype html>
<link rel="stylesheet" href="./look.css" />
<script type="module" src="./act.ts"></script>`;

const secure = securityHeaders(false);

let folder: string;
let routes: Awaited<ReturnType<typeof pageRoutes>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-page-"));
  await Bun.write(join(folder, "index.html"), PAGE);
  await Bun.write(join(folder, "look.css"), "body { color: red }");
  await Bun.write(join(folder, "act.ts"), "document.title = 'acted' as string;");
  routes = await pageRoutes({ index: join(folder, "index.html") }, secure);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const answerTo = (path: string) => routes[path]!.GET.clone();

describe("a page", () => {
  test("is at the root, and names its files as they are served", async () => {
    const text = await answerTo("/").text();
    const named = [...text.matchAll(/(?:href|src)="\.(\/[^"]+)"/g)].map((match) => match[1]!);
    expect(named).toHaveLength(2);
    expect(Object.keys(routes).toSorted()).toEqual(["/", ...named].toSorted());
  });

  test("is bundled from TypeScript and CSS", async () => {
    const types = Object.entries(routes).map(([path, { GET }]) => [
      GET.headers.get("Content-Type"),
      path,
    ]);
    const paths = Object.fromEntries(types) as Record<string, string>;
    const script = paths["text/javascript;charset=utf-8"]!;
    expect(await answerTo(script).text()).toContain('document.title="acted"');
    expect(await answerTo(paths["text/css;charset=utf-8"]!).text()).toContain("color:red");
  });

  test("is asked for anew each time, and its files never again", () => {
    for (const [path, { GET }] of Object.entries(routes)) {
      const caching = GET.headers.get("Cache-Control");
      expect(caching).toBe(path === "/" ? "no-cache" : "public, max-age=31536000, immutable");
    }
  });

  test("may load and call its own server alone", () => {
    for (const { GET } of Object.values(routes)) {
      const policy = GET.headers.get("Content-Security-Policy")!;
      const directives = Object.fromEntries(
        policy.split("; ").map((text) => [text.split(" ")[0], text.split(" ").slice(1).join(" ")]),
      );
      expect(directives).toEqual({
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
      });
    }
  });

  test("that cannot be bundled is an error at once", async () => {
    await Bun.write(join(folder, "broken.html"), '<script src="./missing.ts"></script>');
    const broken = pageRoutes({ index: join(folder, "broken.html") }, secure);
    await expect(broken).rejects.toThrow();
  });
});

test("a compiled program serves the files that it brings along", async () => {
  const files = [
    { name: "index-a1.html", type: "text/html;charset=utf-8", loader: "html" },
    { name: "chunk-b2.js", type: "text/javascript;charset=utf-8", loader: "js" },
  ] as const;
  for (const { name } of files) await Bun.write(join(folder, name), `this is ${name}`);
  const brought = await pageRoutes(
    {
      index: join(folder, "index-a1.html"),
      files: files.map(({ name, type, loader }) => ({
        path: join(folder, name),
        loader,
        isEntry: true,
        headers: { etag: "x", "content-type": type },
      })),
    },
    secure,
  );
  expect(await brought["/"]!.GET.text()).toBe("this is index-a1.html");
  expect(await brought["/chunk-b2.js"]!.GET.text()).toBe("this is chunk-b2.js");
  expect(brought["/"]!.GET.headers.get("Content-Type")).toBe("text/html;charset=utf-8");
});
