/** How far back the graph goes, in ms. */
export const SPAN_MS = 5 * 60_000;

/** Units of the drawing, as in its viewBox. */
const WIDTH = 300;
const HEIGHT = 48;

interface Sample {
  /** ms since 1970. */
  at: number;
  bytesPerSecond: number;
}

/** The rates of the last five minutes, as a line. */
export class Throughput {
  #samples: Sample[] = [];

  /** @param at ms since 1970, after the previous one */
  add(at: number, bytesPerSecond: number): void {
    this.#samples.push({ at, bytesPerSecond });
    const first = this.#samples.findIndex((sample) => sample.at >= at - SPAN_MS);
    this.#samples.splice(0, first);
  }

  get peak(): number {
    return this.#samples.reduce((most, sample) => Math.max(most, sample.bytesPerSecond), 0);
  }

  /**
   * SVG paths with the newest sample at the right edge.
   * @returns the line and the area below it; both empty without samples
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
