import type { SchedulePreview, ScheduleRecord } from "../../api/schedules.ts";
import { fragmentOf, NO_FILTERS } from "../address.ts";
import { arrange, byId, cloneOf, find, keepingFocus, moveFocusTo, setText } from "../dom.ts";
import { formatCount, formatSpan, visible } from "../format.ts";
import { timeWords, summaryOf, worstOf } from "./delivery-words.ts";
import { aboutOf } from "./schedule-words.ts";
import { zoneLine } from "./zone-line.ts";

/** Actions on a schedule. Each is also the class name of its button in a row. */
const ACTIONS = ["run", "pause", "resume", "edit", "times", "delete", "confirm-delete"] as const;
export type ScheduleAction = (typeof ACTIONS)[number];

export interface ScheduleListListener {
  onAction(action: ScheduleAction, schedule: ScheduleRecord): void;
}

/** The list of all schedules, with the next time of each and the result of its latest deliveries. */
export class ScheduleList {
  readonly #list = byId("schedule-list", HTMLUListElement);
  readonly #rows = new Map<string, HTMLElement>();
  #schedules: readonly ScheduleRecord[] = [];

  constructor(listener: ScheduleListListener) {
    this.#list.addEventListener("click", ({ target }) => {
      const pressed = target instanceof Element ? target.closest("button, a") : null;
      if (pressed instanceof HTMLAnchorElement) moveFocusTo("deliveries");
      const row = pressed?.closest<HTMLElement>(".schedule");
      const schedule = this.#schedules.find(({ name }) => name === row?.dataset["name"]);
      if (!row || !schedule) return;
      const action = ACTIONS.find((name) => pressed?.classList.contains(name));
      // A click on Delete only shows the question whether to delete, with the button "confirm-delete".
      const isDeleteAsked = action === "delete";
      const hadFocus = row.contains(document.activeElement);
      find(row, ".delete-question", HTMLElement).hidden = !isDeleteAsked;
      if (isDeleteAsked) find(row, ".confirm-delete", HTMLElement).focus();
      else if (pressed?.classList.contains("keep") && hadFocus) {
        find(row, ".delete", HTMLElement).focus();
      }
      if (action) listener.onAction(action, schedule);
    });
  }

  /**
   * Draws the list.
   * @param chosen name of the schedule whose board is shown; null if none
   * @param now ms since 1970
   */
  render(schedules: readonly ScheduleRecord[], chosen: string | null, now: number): void {
    this.#schedules = schedules;
    const rows = schedules.map((schedule) => this.#row(schedule, chosen, now));
    keepingFocus(() => arrange(this.#list, rows));
    const names = new Set(schedules.map(({ name }) => name));
    for (const name of this.#rows.keys()) if (!names.has(name)) this.#rows.delete(name);
    this.#list.hidden = schedules.length === 0;
  }

  /** Shows a schedule's next times in each time zone. @param preview the times; null hides them */
  showTimes(name: string, preview: SchedulePreview | null): void {
    const row = this.#rows.get(name);
    if (!row) return;
    const list = find(row, ".zones", HTMLElement);
    list.hidden = preview === null;
    find(row, ".times", HTMLElement).ariaExpanded = String(preview !== null);
    list.replaceChildren(...(preview?.zones ?? []).map(zoneLine));
    if (preview?.zones.length === 0) list.append("No site matches yet");
  }

  /** Reports whether a schedule's next times are shown. */
  showsTimes(name: string): boolean {
    const row = this.#rows.get(name);
    return row !== undefined && !find(row, ".zones", HTMLElement).hidden;
  }

  #row(schedule: ScheduleRecord, chosen: string | null, now: number): HTMLElement {
    const { name, paused, latest, may_change } = schedule;
    const row = this.#rows.get(name) ?? this.#newRow(name);
    const focused = row.contains(document.activeElement) ? document.activeElement : null;
    find(row, ".schedule-name", HTMLElement).ariaCurrent = String(name === chosen);
    const about = find(row, ".schedule-about", HTMLElement);
    setText(about, visible(aboutOf(schedule)));
    about.title = about.textContent;
    setText(find(row, ".schedule-next", HTMLElement), nextOf(schedule, now));
    const result = find(row, ".schedule-latest", HTMLElement);
    result.dataset["worst"] = (latest && worstOf(latest.counts)) ?? "none";
    const when = latest ? ` · ${timeWords(latest.scheduled_local)}` : "";
    setText(find(result, "strong", HTMLElement), latest ? summaryOf(latest.counts) : "");
    setText(find(result, "span", HTMLElement), when);
    find(row, ".pause", HTMLElement).hidden = paused || !may_change;
    find(row, ".resume", HTMLElement).hidden = !paused || !may_change;
    for (const action of [".run", ".edit", ".delete"]) {
      find(row, action, HTMLElement).hidden = !may_change;
    }
    row.dataset["state"] = paused ? "paused" : "running";
    // If the clicked button is hidden now, the row takes the focus, so that keyboard users keep their place.
    if (focused?.checkVisibility() === false) row.focus();
    return row;
  }

  #newRow(name: string): HTMLElement {
    const row = cloneOf("schedule-row");
    row.dataset["name"] = name;
    const link = find(row, ".schedule-name", HTMLAnchorElement);
    setText(link, name);
    link.href = fragmentOf({ ...NO_FILTERS, schedule: name });
    for (const [selector, verb] of [
      [".run", "Run now"],
      [".pause", "Pause"],
      [".resume", "Resume"],
      [".edit", "Edit"],
      [".times", "Next times of"],
      [".delete", "Delete"],
      [".confirm-delete", "Delete for good"],
      [".keep", "Keep"],
    ] as const) {
      find(row, selector, HTMLElement).ariaLabel =
        `${verb}${verb === "Run now" ? ":" : ""} ${name}`;
    }
    this.#rows.set(name, row);
    return row;
  }
}

/** Formats when a schedule is due next: `"Next in 5 h 10 min"`, or `"Paused"`. @param now ms since 1970 */
function nextOf({ next_at, paused, paused_because }: ScheduleRecord, now: number): string {
  if (paused_because === "token_ended") return "Paused: the token that made it has ended";
  if (paused) return "Paused";
  if (next_at === null) return "No times yet";
  const seconds = Math.max(0, Math.round((Date.parse(next_at) - now) / 60_000) * 60);
  const days = Math.floor(seconds / 86_400);
  if (days > 1) return `Next in ${formatCount(days)} days`;
  return seconds === 0 ? "Next in a moment" : `Next in ${formatSpan(seconds).replace(/ 0 s$/, "")}`;
}
