import { expect, test } from "bun:test";
import {
  addressOf,
  EVERYTHING,
  type PageFilters,
  readAddress,
} from "../../lib/dashboard/address.ts";

test.each<[hash: string, shown: PageFilters]>([
  ["#", EVERYTHING],
  ["#status=failed", { ...EVERYTHING, status: "failed" }],
  ["#status=failed&open=true", { ...EVERYTHING, status: "failed", onlyOpen: true }],
  ["#download=01a2284b", { ...EVERYTHING, download: "01a2284b" }],
  ["#job=01a2284b", { ...EVERYTHING, job: "01a2284b" }],
  ["#schedule=nightly", { ...EVERYTHING, schedule: "nightly" }],
  ["#site=Till-1", { ...EVERYTHING, site: "Till-1" }],
  ["#sites=offline", { ...EVERYTHING, onlyOffline: true }],
  [
    "#status=queued&site=a.b_c&sites=offline",
    { ...EVERYTHING, status: "queued", site: "a.b_c", onlyOffline: true },
  ],
])("%s asks for what it was made of", (hash, shown) => {
  expect(readAddress(hash)).toEqual(shown);
  expect(addressOf(shown)).toBe(hash);
});

test.each<[hash: string, shown: PageFilters]>([
  ["", EVERYTHING],
  ["#status=", EVERYTHING],
  ["#status=toString", EVERYTHING],
  ["#status=broken&site=a", { ...EVERYTHING, site: "a" }],
  ["#sites=online", EVERYTHING],
  ["#status=queued&open=true", { ...EVERYTHING, status: "queued" }],
])("of %p, what is not known counts as nothing", (hash, shown) => {
  expect(readAddress(hash)).toEqual(shown);
});

test.each(["#downloads", "#code=secret"])("%s asks for nothing of this kind", (hash) => {
  expect(readAddress(hash)).toBeNull();
});
