import type {
  NewPreview,
  NewSchedule,
  ScheduleChange,
  SchedulePreview,
  ScheduleRecord,
} from "../../api/schedules.ts";
import type { Site } from "../board.ts";
import { byId, find, setText } from "../dom.ts";
import { matchWordsOf } from "../jobs/job-order.ts";
import { notifyFailure } from "../notices.ts";
import {
  changeOf,
  fieldsOf,
  orderOf,
  type ScheduleFields,
  previewOf,
  sentenceOf,
  DEFAULT_FIELDS,
} from "./schedule-order.ts";
import { DAYS } from "./schedule-words.ts";
import { TimesAhead } from "./times-ahead.ts";

export interface ScheduleFormListener {
  /** Creates a schedule. @returns whether that succeeded */
  onCreate(order: NewSchedule): Promise<boolean>;
  /** Changes a schedule. @returns whether that succeeded */
  onChange(name: string, change: ScheduleChange): Promise<boolean>;
  /** Loads the next times that a schedule with the form's fields would have. */
  onPreview(wanted: NewPreview, signal: AbortSignal): Promise<SchedulePreview>;
}

/** The form that creates or edits a schedule. It shows the meaning of its fields as a sentence. */
export class ScheduleForm {
  readonly #form = byId("schedule-form", HTMLFormElement);
  readonly #toggle = byId("new-schedule", HTMLButtonElement);
  readonly #submit = byId("schedule-submit", HTMLButtonElement);
  readonly #times: TimesAhead;
  #allSites: readonly Site[] = [];
  /** The schedule that is being edited; null while a new one is created. */
  #edited: ScheduleRecord | null = null;

  constructor(private readonly listener: ScheduleFormListener) {
    this.#times = new TimesAhead((wanted, signal) => listener.onPreview(wanted, signal));
    this.#toggle.addEventListener("click", () => {
      if (this.#form.hidden || this.#edited) this.open(null);
      else this.#close();
    });
    byId("schedule-cancel", HTMLButtonElement).addEventListener("click", () => this.#close());
    this.#form.addEventListener("input", () => this.#render());
    this.#form.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#close();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save();
    });
  }

  /** Opens the form. @param schedule the schedule to edit; null to create one */
  open(schedule: ScheduleRecord | null): void {
    this.#edited = schedule;
    this.#form.reset();
    this.#fill(schedule ? fieldsOf(schedule) : DEFAULT_FIELDS);
    this.#form.hidden = false;
    this.#form.ariaLabel = schedule ? `Change ${schedule.name}` : "New schedule";
    this.#toggle.ariaExpanded = String(schedule === null);
    setText(this.#submit, schedule ? "Save" : "Create");
    this.#field("name").readOnly = schedule !== null;
    this.#render();
    this.#field(schedule ? "time" : "name").focus();
  }

  /** Draws the open form. @param sites all sites, to count those that the form selects */
  render(sites: readonly Site[]): void {
    this.#allSites = sites;
    if (!this.#form.hidden) this.#render();
  }

  #close(): void {
    this.#form.hidden = true;
    this.#toggle.ariaExpanded = "false";
    this.#toggle.focus();
  }

  #render(): void {
    const fields = this.#fields();
    const isCron = fields.when === "cron";
    this.#show("daily-fields", !isCron);
    this.#show("cron-fields", isCron);
    this.#field("time").required = !isCron;
    this.#field("cron").required = isCron;
    const isOneZone = this.#form.querySelector("[name=where][value=one]:checked") !== null;
    this.#show("zone-field", isOneZone);
    this.#field("zone").required = isOneZone;
    this.#show("due-at-field", fields.due === "at");
    this.#show("due-after-field", fields.due === "after");
    this.#field("due_at").required = fields.due === "at";
    this.#field("due_after").required = fields.due === "after";
    const areSitesValid = this.#renderSites(fields);
    setText(byId("schedule-sentence", HTMLElement), sentenceOf(fields));
    this.#times.show(areSitesValid ? previewOf(fields) : null);
  }

  /** Draws the field for sites. @returns false if its text is no valid selector, or names an unknown site */
  #renderSites(fields: ScheduleFields): boolean {
    const sites = this.#field("sites");
    const isAll = fields.sitesBy === "all";
    sites.hidden = isAll;
    sites.disabled = isAll;
    sites.ariaLabel = fields.sitesBy === "labels" ? "Labels of the sites" : "Names of the sites";
    sites.placeholder =
      fields.sitesBy === "labels" ? "region=west,tier!=test" : "restaurant-0*, till-7";
    const clients = this.#allSites.map(({ client }) => client);
    // A schedule also asks sites that are added later, so it is no mistake if no site matches yet.
    const { words, isWrong, total } = matchWordsOf({ ...fields, isContinuous: true }, clients);
    const match = byId("schedule-match", HTMLElement);
    setText(match, words);
    match.classList.toggle("bad", isWrong);
    match.classList.toggle("none", total === 0);
    sites.ariaInvalid = String(isWrong);
    sites.setCustomValidity(isWrong ? words : "");
    return !isWrong;
  }

  #fields(): ScheduleFields {
    const form = new FormData(this.#form);
    const text = (name: string) => String(form.get(name) ?? "");
    const by = text("by");
    return {
      name: text("name"),
      when: text("when") === "cron" ? "cron" : "daily",
      time: text("time"),
      days: DAYS.filter((day) => form.getAll("day").includes(day)),
      cron: text("cron"),
      zone: text("where") === "one" ? text("zone") : "",
      sitesBy: by === "labels" || by === "ids" ? by : "all",
      sites: text("sites"),
      what: text("what"),
      skipsUnchanged: form.has("skip"),
      due: text("due") === "after" ? "after" : "at",
      dueAt: text("due_at"),
      dueAfter: text("due_after"),
      keepDays: text("keep_days"),
      keepLast: text("keep_last"),
      expectFiles: text("expect_files"),
      expectBytes: text("expect_bytes"),
      spread: text("spread"),
      catchUp: text("catch_up"),
      mayOverlap: form.has("overlap"),
    };
  }

  #fill(fields: ScheduleFields): void {
    const texts = {
      name: fields.name,
      time: fields.time,
      cron: fields.cron,
      zone: fields.zone,
      sites: fields.sites,
      due_at: fields.dueAt,
      due_after: fields.dueAfter,
      keep_days: fields.keepDays,
      keep_last: fields.keepLast,
      expect_files: fields.expectFiles,
      expect_bytes: fields.expectBytes,
      spread: fields.spread,
      catch_up: fields.catchUp,
    };
    for (const [name, value] of Object.entries(texts)) this.#field(name).value = value;
    find(this.#form, "[name=what]", HTMLTextAreaElement).value = fields.what;
    const choices = { when: fields.when, by: fields.sitesBy, due: fields.due };
    const where = fields.zone === "" ? "site" : "one";
    for (const [name, value] of Object.entries({ ...choices, where })) {
      find(this.#form, `[name=${name}][value=${value}]`, HTMLInputElement).checked = true;
    }
    for (const day of DAYS) {
      find(this.#form, `[name=day][value=${day}]`, HTMLInputElement).checked =
        fields.days.includes(day);
    }
    this.#field("skip").checked = fields.skipsUnchanged;
    this.#field("overlap").checked = fields.mayOverlap;
  }

  #field(name: string): HTMLInputElement {
    return find(this.#form, `[name=${name}]`, HTMLInputElement);
  }

  #show(className: string, isShown: boolean): void {
    find(this.#form, `.${className}`, HTMLElement).hidden = !isShown;
  }

  async #save(): Promise<void> {
    // Clicks during the request are ignored, as a second request to create the schedule would fail: its name
    // is taken.
    if (this.#submit.ariaDisabled === "true") return;
    this.#submit.ariaDisabled = "true";
    try {
      if (await this.#send(this.#fields())) this.#close();
    } catch (error) {
      notifyFailure(error);
    } finally {
      this.#submit.ariaDisabled = "false";
    }
  }

  /** Sends the new or changed schedule to the server. @returns whether that succeeded */
  async #send(fields: ScheduleFields): Promise<boolean> {
    if (this.#edited) {
      const change = changeOf(fields, this.#edited);
      if (change === null) return false;
      if (Object.keys(change).length === 0) return true;
      return this.listener.onChange(this.#edited.name, change);
    }
    const order = orderOf(fields);
    return order !== null && this.listener.onCreate(order);
  }
}
