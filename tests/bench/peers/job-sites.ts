import { argv } from "node:process";
import { FleetSite } from "../../support/fleet.ts";

/*
 * Sites that answer by hand: each sends a small file some time after it was asked. Arguments: the
 * server's URL, how many, how long a file takes in ms.
 */

/** Sites that come together, and how long after those before them, in ms. */
const BATCH = 25;
const EVERY = 50;

const [url = "", count = "", takes = ""] = argv.slice(2);

for (let n = 0; n < Number(count); n++) {
  const site = new FleetSite(url, `idle-${n}`);
  site.takes = Number(takes);
  if (n % BATCH === BATCH - 1) await Bun.sleep(EVERY);
}
