import type { NewPreview, SchedulePreview } from "../../api/schedules.ts";
import { ApiProblem } from "../api.ts";
import { byId } from "../dom.ts";
import { formatCount } from "../format.ts";
import { zoneLine } from "./zone-line.ts";

/** Time without typing after which the next times are requested, in ms. */
const TYPING_MS = 300;

/** Highest number of time zones that are shown while the form is open. */
const MAX_ZONES = 3;

/** Number of next times that are shown for each time zone. */
const TIMES_PER_ZONE = 3;

/** Shows the next times of a schedule below its form, while the form is filled in. */
export class TimesAhead {
  readonly #list = byId("schedule-times", HTMLUListElement);
  #shownRequest = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #call = new AbortController();

  constructor(
    private readonly loadPreview: (
      request: NewPreview,
      signal: AbortSignal,
    ) => Promise<SchedulePreview>,
  ) {}

  /**
   * Loads and shows the next times, after a pause in typing.
   * @param request null if the form is not complete; then no times are shown
   */
  show(request: NewPreview | null): void {
    const text = JSON.stringify(request);
    if (text === this.#shownRequest) return;
    this.#shownRequest = text;
    clearTimeout(this.#timer);
    this.#call.abort();
    if (request === null) return this.#list.replaceChildren();
    this.#timer = setTimeout(
      () => void this.#load({ ...request, count: TIMES_PER_ZONE }),
      TYPING_MS,
    );
  }

  async #load(request: NewPreview): Promise<void> {
    const { signal } = (this.#call = new AbortController());
    try {
      const { zones } = await this.loadPreview(request, signal);
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
  const hiddenZones = zones.length - MAX_ZONES;
  const words = `and ${formatCount(hiddenZones)} more time ${hiddenZones === 1 ? "zone" : "zones"}`;
  return [
    ...zones.slice(0, MAX_ZONES).map(zoneLine),
    ...(hiddenZones > 0 ? [lineOf(words, "")] : []),
  ];
}

function lineOf(words: string, className: string): HTMLElement {
  const line = document.createElement("li");
  line.className = className;
  line.textContent = words;
  return line;
}
