import type { JobChange, JobRecord } from "../../api/jobs.ts";
import { cloneOf, find } from "../dom.ts";
import { titleOf } from "./job-words.ts";

/** The form for a job's expiry and its limit of concurrent downloads. It opens in the job's row. */
export class LimitsEditor {
  #close: () => void = () => undefined;

  /** @param onSave sends the changes to the server; returns whether that succeeded */
  constructor(private readonly onSave: (job: JobRecord, change: JobChange) => Promise<boolean>) {}

  /** Opens the form for a job. @param row element of the job's row in the list */
  open(job: JobRecord, row: HTMLElement): void {
    this.#close();
    const form = cloneOf("job-limits") as HTMLFormElement;
    const expires = find(form, "[name=expires_at]", HTMLInputElement);
    const maxConcurrent = find(form, "[name=max_concurrent]", HTMLInputElement);
    form.ariaLabel = `Limits of ${titleOf(job)}`;
    expires.value = localTimeOf(job.expires_at);
    expires.required = job.membership === "continuous";
    maxConcurrent.value = job.max_concurrent?.toString() ?? "";
    const before = { expires: expires.value, maxConcurrent: maxConcurrent.value };
    this.#close = () => {
      const hadFocus = form.contains(document.activeElement);
      form.remove();
      if (hadFocus) row.focus();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const change: JobChange = {
        ...(expires.value !== before.expires && { expires_at: timeOf(expires.value) }),
        ...(maxConcurrent.value !== before.maxConcurrent && {
          max_concurrent: countOf(maxConcurrent.value),
        }),
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

/**
 * Converts ISO 8601 to local time for a datetime-local field: `"2026-11-30T23:00"`.
 * @returns `""` for null
 */
function localTimeOf(time: string | null): string {
  if (time === null) return "";
  const at = new Date(time);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Converts the value of a datetime-local field to ISO 8601 in UTC. @returns null if the field is empty */
function timeOf(local: string): string | null {
  return local === "" ? null : new Date(local).toISOString();
}

/** Converts the value of a number field. @returns null if the field is empty, which means no limit */
function countOf(text: string): number | null {
  return text === "" ? null : Number(text);
}
