/** Length of time that the graph of the rate shows, in ms. */
export const SPAN_MS = 5 * 60_000;

/** Size of the graph in SVG units, the same as in its viewBox. */
const WIDTH = 300;
const HEIGHT = 48;

interface Sample {
  /** Time of the sample, in ms since 1970. */
  at: number;
  bytesPerSecond: number;
}

/** The graph of the transfer rate over the last five minutes. */
export class Throughput {
  #samples: Sample[] = [];

  /** Adds a sample. @param at ms since 1970, later than the last sample */
  add(at: number, bytesPerSecond: number): void {
    this.#samples.push({ at, bytesPerSecond });
    const first = this.#samples.findIndex((sample) => sample.at >= at - SPAN_MS);
    this.#samples.splice(0, first);
  }

  get peak(): number {
    return this.#samples.reduce((max, sample) => Math.max(max, sample.bytesPerSecond), 0);
  }

  /**
   * Returns the graph as SVG paths, with the newest sample at the right edge.
   * @returns the graph's line and the area below the line; both empty if there are no samples
   */
  paths(): { line: string; area: string } {
    const last = this.#samples.at(-1);
    const first = this.#samples[0];
    if (!last || !first) return { line: "", area: "" };
    const x = (at: number) => (WIDTH * (1 - (last.at - at) / SPAN_MS)).toFixed(1);
    const scale = (HEIGHT - 2) / (this.peak || 1);
    const points = this.#samples.map(
      ({ at, bytesPerSecond }) => `${x(at)} ${(HEIGHT - 1 - bytesPerSecond * scale).toFixed(1)}`,
    );
    const line = `M${points.join("L")}`;
    return { line, area: `${line}L${WIDTH} ${HEIGHT}L${x(first.at)} ${HEIGHT}Z` };
  }
}
