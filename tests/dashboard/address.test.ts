import { expect, test } from "bun:test";
import {
  fragmentOf,
  NO_FILTERS,
  type PageFilters,
  readFragment,
} from "../../lib/dashboard/address.ts";

test.each<[hash: string, shown: PageFilters]>([
  ["#", NO_FILTERS],
  ["#status=failed", { ...NO_FILTERS, status: "failed" }],
  ["#status=failed&open=true", { ...NO_FILTERS, status: "failed", onlyOpen: true }],
  ["#download=01a2284b", { ...NO_FILTERS, download: "01a2284b" }],
  ["#job=01a2284b", { ...NO_FILTERS, job: "01a2284b" }],
  ["#schedule=nightly", { ...NO_FILTERS, schedule: "nightly" }],
  ["#site=Till-1", { ...NO_FILTERS, site: "Till-1" }],
  ["#sites=offline", { ...NO_FILTERS, onlyOffline: true }],
  [
    "#status=queued&site=a.b_c&sites=offline",
    { ...NO_FILTERS, status: "queued", site: "a.b_c", onlyOffline: true },
  ],
])("%s asks for what it was made of", (hash, shown) => {
  expect(readFragment(hash)).toEqual(shown);
  expect(fragmentOf(shown)).toBe(hash);
});

test.each<[hash: string, shown: PageFilters]>([
  ["", NO_FILTERS],
  ["#status=", NO_FILTERS],
  ["#status=toString", NO_FILTERS],
  ["#status=broken&site=a", { ...NO_FILTERS, site: "a" }],
  ["#sites=online", NO_FILTERS],
  ["#status=queued&open=true", { ...NO_FILTERS, status: "queued" }],
])("of %p, what is not known counts as nothing", (hash, shown) => {
  expect(readFragment(hash)).toEqual(shown);
});

test.each(["#downloads", "#code=secret"])("%s asks for nothing of this kind", (hash) => {
  expect(readFragment(hash)).toBeNull();
});
