import type { JobChange, JobRecord } from "../../api/jobs.ts";
import { cloneOf, find } from "../dom.ts";
import { titleOf } from "./job-words.ts";

/** Edits a job's end, and how much of it runs at the same time: one job at a time, in its row. */
export class LimitsEditor {
  #close: () => void = () => undefined;

  /** @param onSave saves the changes; @returns whether it succeeded */
  constructor(private readonly onSave: (job: JobRecord, change: JobChange) => Promise<boolean>) {}

  /** @param row the job's row */
  open(job: JobRecord, row: HTMLElement): void {
    this.#close();
    const form = cloneOf("job-limits") as HTMLFormElement;
    const expires = find(form, "[name=expires_at]", HTMLInputElement);
    const most = find(form, "[name=max_concurrent]", HTMLInputElement);
    form.ariaLabel = `Limits of ${titleOf(job)}`;
    expires.value = localTimeOf(job.expires_at);
    expires.required = job.membership === "continuous";
    most.value = job.max_concurrent?.toString() ?? "";
    const before = { expires: expires.value, most: most.value };
    this.#close = () => {
      const hadFocus = form.contains(document.activeElement);
      form.remove();
      if (hadFocus) row.focus();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const change: JobChange = {
        ...(expires.value !== before.expires && { expires_at: timeOf(expires.value) }),
        ...(most.value !== before.most && { max_concurrent: countOf(most.value) }),
      };
      void this.#save(job, change);
    });
    form.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#close();
    });
    find(form, ".close", HTMLElement).addEventListener("click", () => this.#close());
    row.append(form);
    expires.focus();
  }

  async #save(job: JobRecord, change: JobChange): Promise<void> {
    const close = this.#close;
    if (Object.keys(change).length === 0 || (await this.onSave(job, change))) close();
  }
}

/** A time in the format of a field, in the browser's zone: `"2026-11-30T23:00"`. @param time ISO 8601 */
function localTimeOf(time: string | null): string {
  if (time === null) return "";
  const at = new Date(time);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @returns ISO 8601, UTC; null: never */
function timeOf(local: string): string | null {
  return local === "" ? null : new Date(local).toISOString();
}

/** @returns null: no limit */
function countOf(text: string): number | null {
  return text === "" ? null : Number(text);
}
