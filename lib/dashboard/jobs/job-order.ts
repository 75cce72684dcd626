import { Chosen, type ClientChoice } from "../../api/chosen-clients.ts";
import type { NewJob } from "../../api/jobs.ts";
import type { ClientRecord } from "../../api/schemas.ts";
import { SelectorError } from "../../api/selector.ts";
import { asksForSet } from "../../api/set-words.ts";
import { parseSize } from "../../util/sizes.ts";
import { formatCount } from "../format.ts";
import { type KeepFields, keepRuleOf } from "../keep/keep-rule.ts";

/* Converts the fields of the form for a new job (new-job.ts) to a REST request. Pure functions. */

/**
 * Number of downloads that must have ended before the chosen percentage of failures stops a job. With fewer,
 * one failure would already be a high percentage.
 */
const STOP_AT_LEAST = 10;

/** How a form selects sites: all of them, by labels, or by client ids. */
export type SitesBy = "all" | "labels" | "ids";

/** The fields of the form for a new job, as typed. */
export interface JobFields extends KeepFields {
  sitesBy: SitesBy;
  /**
   * The selected sites: a label selector, or client ids and patterns of ids such as `till-*`, depending on
   * `sitesBy`. Ids are separated by spaces or commas.
   */
  sites: string;
  /** Path of a file, or patterns of a set, one per line. */
  what: string;
  name: string;
  expiresIn: string;
  maxConcurrent: string;
  spread: string;
  /** Rate limit for each site in bytes a second, such as `"2MiB"`. */
  rate: string;
  stopPercent: string;
  isContinuous: boolean;
  skipsUnchanged: boolean;
}

/**
 * Returns the selection of sites in a form; null if sites are selected by labels or ids, and none are typed.
 */
export function choiceOf({
  sitesBy,
  sites,
}: Pick<JobFields, "sitesBy" | "sites">): ClientChoice | null {
  if (sitesBy === "all") return { all: true };
  const text = sites.trim();
  if (text === "") return null;
  return sitesBy === "labels" ? { labels: text } : { ids: text.split(/[\s,]+/).filter(Boolean) };
}

/** The result of a selection of sites: how many match, and how many of those are connected. */
export interface MatchCounts {
  total: number;
  online: number;
  /** A selected client id that no site has; null if all exist. */
  unknown: string | null;
}

/** Counts the sites that a selection matches. @throws SelectorError if its label selector is invalid */
export function countMatches(choice: ClientChoice, clients: readonly ClientRecord[]): MatchCounts {
  const chosen = new Chosen(choice);
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

/** The text below the field for sites: how many sites match, or what is wrong with the input. */
export interface MatchWords {
  words: string;
  isWrong: boolean;
  /** The number of matching sites; null if the input is missing or wrong. */
  total: number | null;
}

export function matchWordsOf(
  fields: Pick<JobFields, "sitesBy" | "sites" | "isContinuous">,
  clients: readonly ClientRecord[],
): MatchWords {
  const choice = choiceOf(fields);
  if (choice === null) return { words: "", isWrong: false, total: null };
  try {
    const { total, online, unknown } = countMatches(choice, clients);
    if (unknown !== null) return { words: `No site is "${unknown}"`, isWrong: true, total: null };
    if (total === 0) {
      if (fields.isContinuous) return { words: "No site matches yet", isWrong: false, total: 0 };
      return { words: "No site matches", isWrong: true, total: null };
    }
    const matched = `${formatSiteCount(total)} ${total === 1 ? "matches" : "match"}`;
    const connected = online === total ? "all" : online === 0 ? "none" : formatCount(online);
    return { words: `${matched}, ${connected} online`, isWrong: false, total };
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    return { words: `This ${error.message}`, isWrong: true, total: null };
  }
}

/** Formats a number of sites: `"1 site"`, `"2,000 sites"`. */
export function formatSiteCount(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "site" : "sites"}`;
}

/** Returns what is wrong with a typed rate limit; `""` if it is valid or empty. */
export function flawOfRate(text: string): string {
  const isRight = text.trim() === "" || parseSize(text) !== null;
  return isRight ? "" : "Say a size, such as 500KiB or 2MiB";
}

/** Returns the request that creates the job in a form; null if no sites are selected. */
export function orderOf(fields: JobFields): NewJob | null {
  const choice = choiceOf(fields);
  if (choice === null) return null;
  const { ids, ...others } = choice;
  const nonEmpty = (text: string) => (text.trim() === "" ? undefined : text.trim());
  const percent = nonEmpty(fields.stopPercent);
  const concurrent = nonEmpty(fields.maxConcurrent);
  const rate = parseSize(fields.rate);
  return {
    clients: { ...others, ...(ids && { ids: [...ids] }) },
    download: { ...downloadOf(fields), ...(rate !== null && { rate_limit: rate }) },
    name: nonEmpty(fields.name),
    membership: fields.isContinuous ? "continuous" : "snapshot",
    expires_in: nonEmpty(fields.expiresIn),
    spread: nonEmpty(fields.spread),
    keep: keepRuleOf(fields),
    ...(concurrent !== undefined && { max_concurrent: Number(concurrent) }),
    ...(percent !== undefined && {
      stop_when: { failed_percent: Number(percent), at_least: STOP_AT_LEAST },
    }),
  };
}

/**
 * Returns what is requested from each site: one file if a single path was typed, otherwise a set of the files
 * that the typed patterns match.
 */
export function downloadOf({
  what,
  skipsUnchanged,
}: Pick<JobFields, "what" | "skipsUnchanged">): NewJob["download"] {
  const words = what.split("\n").map((line) => line.trim());
  const [first = "", ...others] = words.filter((word) => word !== "");
  if (others.length === 0 && !asksForSet(first)) return first === "" ? {} : { file_path: first };
  return { paths: [first, ...others], ...(skipsUnchanged && { unchanged: "skip" as const }) };
}
