import type { Locator, Page } from "playwright-core";

/*
 * Functions that read the board of a schedule on the dashboard: its sums, its rows of sites and their cells.
 */

/** Waits until the line of sums above the board shows exactly these words. */
export const sumsOf = (page: Page, words: string): Promise<void> =>
  page.locator("#deliveries-sums").getByText(words, { exact: true }).waitFor();

/** Finds the cells of a site on the board that have a certain status. */
export const cellOf = (page: Page, status: string, clientId: string): Locator =>
  page.getByRole("gridcell", { name: new RegExp(`^${status}, ${clientId}, `) });

/** Returns the client ids of the board's visible rows, from top to bottom. */
export const rowsOf = (page: Page): Promise<(string | null)[]> =>
  page
    .locator(".grid-row")
    .evaluateAll((rows) => rows.map((row) => row.getAttribute("data-client-id")));

/** Returns how many marks of each status the board draws for a site. */
export const marksOf = async (page: Page, clientId: string) =>
  Object.fromEntries(
    await page
      .locator(`.grid-row[data-client-id="${clientId}"] .marks path`)
      .evaluateAll((paths) =>
        paths.map((path) => [
          path.getAttribute("data-status"),
          path.getAttribute("d")?.match(/M/g)?.length,
        ]),
      ),
  );

/** Returns the accessible name of the board's cell that has the keyboard focus. */
export const activeCell = (page: Page): Promise<string | null> =>
  page.locator(".cell:focus").getAttribute("aria-label");
