import { argv } from "node:process";
import { FleetSite } from "../../support/fleet.ts";

/*
 * Runs simulated sites. Each sends a small file some time after the request. Arguments: the server's URL, the
 * number of sites, the time from the request until a site sends its file, in ms.
 */

/** Number of sites that connect at the same time. */
const BATCH = 25;
/** Pause between two batches of sites, in ms. */
const EVERY = 50;

const [url = "", count = "", takes = ""] = argv.slice(2);

for (let n = 0; n < Number(count); n++) {
  const site = new FleetSite(url, `idle-${n}`);
  site.takes = Number(takes);
  if (n % BATCH === BATCH - 1) await Bun.sleep(EVERY);
}
