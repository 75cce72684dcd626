import { describe, expect, test } from "bun:test";
import {
  DOWNLOAD_ERROR_CODES,
  type ErrorCode,
  FdsError,
  isDownloadErrorCode,
  meaningOf,
  problemOf,
  type Reconnect,
} from "../../lib/protocol/errors.ts";

describe("the table of codes", () => {
  test.each<[ErrorCode, number]>([
    ["invalid_request", 400],
    ["unauthorized", 401],
    ["forbidden", 403],
    ["not_found", 404],
    ["client_not_found", 404],
    ["download_not_found", 404],
    ["method_not_allowed", 405],
    ["client_not_connected", 409],
    ["download_not_finished", 409],
    ["download_already_ended", 409],
    ["request_too_large", 413],
    ["rate_limited", 429],
    ["internal_error", 500],
    ["unavailable", 503],
    ["storage_full", 507],
  ])("%s is HTTP %d", (code, status) => {
    expect(new FdsError(code, "why").http).toBe(status);
  });

  test.each([...DOWNLOAD_ERROR_CODES])("a download that met %s knows whether to go on", (code) => {
    expect(["never", "later", "restart", "when_room"]).toContain(meaningOf(code).retry!);
    expect(isDownloadErrorCode(code)).toBe(true);
  });

  test.each<[ErrorCode, Reconnect | undefined, boolean]>([
    ["replaced", "slowly", false],
    ["unsupported_version", "slowly", false],
    ["client_revoked", "slowly", true],
    ["enrolment_required", "slowly_if_refused", true],
    ["key_mismatch", "slowly_if_refused", true],
    ["id_in_use", "slowly_if_refused", false],
    ["message_too_large", "slowly_if_refused", false],
    ["protocol_error", "slowly_if_refused", false],
    ["shutting_down", undefined, false],
    ["rate_limited", undefined, false],
    ["client_timeout", undefined, false],
    ["internal_error", undefined, false],
  ])("a client that hears %s connects again %p, and shows what it enrols with: %p", (...row) => {
    const [code, reconnect, asksToEnrol] = row;
    expect(meaningOf(code).reconnect).toBe(reconnect!);
    expect(meaningOf(code).asksToEnrol ?? false).toBe(asksToEnrol);
  });

  test("what is not for one side has the meaning of a bug there", () => {
    expect(new FdsError("replaced", "why").http).toBe(500);
    expect(new FdsError("not_found", "why").close).toBe(1011);
    expect(isDownloadErrorCode("not_found")).toBe(false);
  });
});

describe("a problem of a download", () => {
  test.each<[string, unknown, { code: string; message: string }]>([
    [
      "its own code",
      new FdsError("storage_full", "full"),
      { code: "storage_full", message: "full" },
    ],
    [
      "no code of the record",
      new FdsError("not_found", "gone"),
      { code: "storage_error", message: "gone" },
    ],
    ["another error", new Error("EIO"), { code: "storage_error", message: "EIO" }],
    ["no error at all", "odd", { code: "storage_error", message: "odd" }],
  ])("from %s", (_, thrown, problem) => {
    expect(problemOf(thrown, "storage_error") as object).toEqual(problem);
  });
});
