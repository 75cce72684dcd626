import type { NewPreview, SchedulePreview } from "../../api/schedules.ts";
import { ApiProblem } from "../api.ts";
import { byId } from "../dom.ts";
import { formatCount } from "../format.ts";
import { zoneLine } from "./zone-line.ts";

/** Time without typing after which the next times are requested, in ms. */
const TYPING_MS = 300;

/** Highest number of time zones that are shown while the form is open. */
const MOST_ZONES = 3;

/** Number of next times that are shown for each time zone. */
const COUNT = 3;

/** Shows the next times of a schedule below its form, while the form is filled in. */
export class TimesAhead {
  readonly #list = byId("schedule-times", HTMLUListElement);
  #shown = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #call = new AbortController();

  constructor(
    private readonly ask: (wanted: NewPreview, signal: AbortSignal) => Promise<SchedulePreview>,
  ) {}

  /**
   * Loads and shows the next times, after a pause in typing.
   * @param wanted null if the form is not complete; then no times are shown
   */
  show(wanted: NewPreview | null): void {
    const text = JSON.stringify(wanted);
    if (text === this.#shown) return;
    this.#shown = text;
    clearTimeout(this.#timer);
    this.#call.abort();
    if (wanted === null) return this.#list.replaceChildren();
    this.#timer = setTimeout(() => void this.#load({ ...wanted, count: COUNT }), TYPING_MS);
  }

  async #load(wanted: NewPreview): Promise<void> {
    const { signal } = (this.#call = new AbortController());
    try {
      const { zones } = await this.ask(wanted, signal);
      if (!signal.aborted) this.#list.replaceChildren(...linesOf(zones));
    } catch (error) {
      if (signal.aborted) return;
      // Status 400 means a wrong cron expression or time zone, which is shown. Other errors show nothing
      // here.
      const isWrong = error instanceof ApiProblem && error.status === 400;
      this.#list.replaceChildren(...(isWrong ? [lineOf(error.message, "bad")] : []));
    }
  }
}

function linesOf(zones: SchedulePreview["zones"]): HTMLElement[] {
  if (zones.length === 0) return [lineOf("No site matches yet, so it has no times.", "")];
  const others = zones.length - MOST_ZONES;
  const words = `and ${formatCount(others)} more time ${others === 1 ? "zone" : "zones"}`;
  return [...zones.slice(0, MOST_ZONES).map(zoneLine), ...(others > 0 ? [lineOf(words, "")] : [])];
}

function lineOf(words: string, className: string): HTMLElement {
  const line = document.createElement("li");
  line.className = className;
  line.textContent = words;
  return line;
}
