import { expect, test } from "bun:test";
import { join } from "node:path";

const PAGE = join(import.meta.dir, "../../lib/dashboard/index.html");

/** The page's script is about 97 KiB, uncompressed. A validation library would add over 60 KiB. */
const MOST_BYTES = 104 * 1024;

test("the page's script is small: it knows the REST shapes as types alone", async () => {
  const { outputs } = await Bun.build({ entrypoints: [PAGE], minify: true });
  const scripts = outputs.filter(({ path }) => path.endsWith(".js"));
  expect(scripts).toHaveLength(1);
  expect(scripts[0]?.size).toBeLessThan(MOST_BYTES);
});
