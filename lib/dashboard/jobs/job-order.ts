import { Chosen, type Naming } from "../../api/chosen-clients.ts";
import type { NewJob } from "../../api/jobs.ts";
import type { ClientRecord } from "../../api/schemas.ts";
import { SelectorError } from "../../api/selector.ts";
import { asksForSet } from "../../api/set-words.ts";
import { parseSize } from "../../util/sizes.ts";
import { formatCount } from "../format.ts";
import { type KeepFields, keepOf } from "../keep/keep-rule.ts";

/* Turns the form for asking many sites into a request. Pure; the form itself is new-job.ts. */

/** Sites that must have been tried before failures stop a job, as the first failure means little. */
const STOP_AT_LEAST = 10;

/** How the sites are named. */
export type NamedBy = "all" | "labels" | "ids";

/** The form's fields, as typed. */
export interface JobFields extends KeepFields {
  by: NamedBy;
  /** A selector; or ids and patterns, separated by spaces or commas. */
  sites: string;
  /** A file; or patterns, one per line. */
  what: string;
  name: string;
  expiresIn: string;
  maxConcurrent: string;
  spread: string;
  /** Most bytes a second of each site: `"2MiB"`. */
  rate: string;
  stopPercent: string;
  isContinuous: boolean;
  isSkipping: boolean;
}

/** The selected sites; null: nothing was typed yet. */
export function namingOf({ by, sites }: Pick<JobFields, "by" | "sites">): Naming | null {
  if (by === "all") return { all: true };
  const text = sites.trim();
  if (text === "") return null;
  return by === "labels" ? { labels: text } : { ids: text.split(/[\s,]+/).filter(Boolean) };
}

/** Number of matching sites, and of connected ones among them. */
export interface Matching {
  total: number;
  online: number;
  /** An id that no site has. */
  unknown: string | null;
}

/** @throws SelectorError where the labels are not a valid selector */
export function matchingOf(naming: Naming, clients: readonly ClientRecord[]): Matching {
  const chosen = new Chosen(naming);
  const unknown = new Set(chosen.named);
  let [total, online] = [0, 0];
  for (const { client_id, labels, revoked_at, connected } of clients) {
    unknown.delete(client_id);
    if (!chosen.has(client_id, labels, revoked_at !== null)) continue;
    total++;
    if (connected) online++;
  }
  return { total, online, unknown: [...unknown][0] ?? null };
}

/** The number of matching sites as text, or what is wrong with the input. */
export interface MatchWords {
  words: string;
  isWrong: boolean;
  /** null: there is nobody to ask. */
  total: number | null;
}

export function matchWordsOf(
  fields: Pick<JobFields, "by" | "sites" | "isContinuous">,
  clients: readonly ClientRecord[],
): MatchWords {
  const naming = namingOf(fields);
  if (naming === null) return { words: "", isWrong: false, total: null };
  try {
    const { total, online, unknown } = matchingOf(naming, clients);
    if (unknown !== null) return { words: `No site is "${unknown}"`, isWrong: true, total: null };
    if (total === 0) {
      if (fields.isContinuous) return { words: "No site matches yet", isWrong: false, total: 0 };
      return { words: "No site matches", isWrong: true, total: null };
    }
    const matched = `${sitesOf(total)} ${total === 1 ? "matches" : "match"}`;
    const connected = online === total ? "all" : online === 0 ? "none" : formatCount(online);
    return { words: `${matched}, ${connected} online`, isWrong: false, total };
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    return { words: `This ${error.message}`, isWrong: true, total: null };
  }
}

/** `"1 site"`, `"2,000 sites"` */
export function sitesOf(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "site" : "sites"}`;
}

/** What is wrong with a rate that was typed; `""`: nothing. */
export function flawOfRate(text: string): string {
  const isRight = text.trim() === "" || parseSize(text) !== null;
  return isRight ? "" : "Say a size, such as 500KiB or 2MiB";
}

/** The request for a job; null: no sites are selected. */
export function orderOf(fields: JobFields): NewJob | null {
  const naming = namingOf(fields);
  if (naming === null) return null;
  const { ids, ...others } = naming;
  const said = (text: string) => (text.trim() === "" ? undefined : text.trim());
  const percent = said(fields.stopPercent);
  const concurrent = said(fields.maxConcurrent);
  const rate = parseSize(fields.rate);
  return {
    clients: { ...others, ...(ids && { ids: [...ids] }) },
    download: { ...downloadOf(fields), ...(rate !== null && { rate_limit: rate }) },
    name: said(fields.name),
    membership: fields.isContinuous ? "continuous" : "snapshot",
    expires_in: said(fields.expiresIn),
    spread: said(fields.spread),
    keep: keepOf(fields),
    ...(concurrent !== undefined && { max_concurrent: Number(concurrent) }),
    ...(percent !== undefined && {
      stop_when: { failed_percent: Number(percent), at_least: STOP_AT_LEAST },
    }),
  };
}

/** The request for each site: a file, or patterns, one per line. */
export function downloadOf({
  what,
  isSkipping,
}: Pick<JobFields, "what" | "isSkipping">): NewJob["download"] {
  const words = what.split("\n").map((line) => line.trim());
  const [first = "", ...others] = words.filter((word) => word !== "");
  if (others.length === 0 && !asksForSet(first)) return first === "" ? {} : { file_path: first };
  return { paths: [first, ...others], ...(isSkipping && { unchanged: "skip" as const }) };
}
