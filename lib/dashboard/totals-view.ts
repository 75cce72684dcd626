import type { Totals } from "../api/schemas.ts";
import { formatSize } from "../util/sizes.ts";
import type { Board } from "./board.ts";
import { byId, setText } from "./dom.ts";
import { formatCount, formatRate } from "./format.ts";
import { Throughput } from "./throughput.ts";

/** Time between two samples of the rate graph, in ms. */
const SAMPLE_MS = 1_000;

/** Shows the numbers of today's downloads, the present activity, and the graph of the rate. */
export class TotalsView {
  readonly #throughput = new Throughput();

  constructor(private readonly board: Board) {
    setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /**
   * Shows the totals since midnight, and the number of failed downloads that were not retried, however old.
   */
  show({ downloads, bytes_received, open_failures }: Totals): void {
    setText(byId("total-completed", HTMLElement), formatCount(downloads.completed));
    setText(byId("total-failed", HTMLElement), formatCount(open_failures));
    byId("total-failed", HTMLElement).classList.toggle("bad", open_failures > 0);
    setText(byId("total-bytes", HTMLElement), formatSize(bytes_received));
  }

  /** Shows how many downloads are running and waiting now, and how many sites are offline. */
  renderCounts(): void {
    const { active, queued } = this.board.downloadCounts;
    const { offline } = this.board.siteCounts;
    setText(byId("total-active", HTMLElement), formatCount(active));
    setText(byId("total-queued", HTMLElement), formatCount(queued));
    setText(byId("total-offline", HTMLElement), formatCount(offline));
  }

  #sample(): void {
    const rate = this.board.bytesPerSecond;
    this.#throughput.add(Date.now(), rate);
    const { line, area } = this.#throughput.paths();
    byId("graph-line", SVGElement).setAttribute("d", line);
    byId("graph-area", SVGElement).setAttribute("d", area);
    setText(byId("rate-now", HTMLElement), formatRate(rate));
    setText(byId("rate-peak", HTMLElement), formatRate(this.#throughput.peak));
  }
}

/** Returns the last midnight in the browser's time zone. */
export function midnight(): Date {
  return new Date(new Date().setHours(0, 0, 0, 0));
}
