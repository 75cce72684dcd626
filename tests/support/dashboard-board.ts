import type { Locator, Page } from "playwright-core";

/* The board of a schedule, as it is on the page: its sums, its rows of sites and their cells. */

/** Waits until the sums say this. */
export const sumsOf = (page: Page, words: string): Promise<void> =>
  page.locator("#deliveries-sums").getByText(words, { exact: true }).waitFor();

/** The cells of a site that have a status. */
export const cellOf = (page: Page, status: string, clientId: string): Locator =>
  page.getByRole("gridcell", { name: new RegExp(`^${status}, ${clientId}, `) });

/** The sites that are drawn, from the top. */
export const rowsOf = (page: Page): Promise<(string | null)[]> =>
  page
    .locator(".grid-row")
    .evaluateAll((rows) => rows.map((row) => row.getAttribute("data-client-id")));

/** How many marks of each status are drawn for a site. */
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

/** The name of the cell that the keys are in. */
export const activeCell = (page: Page): Promise<string | null> =>
  page.locator(".cell:focus").getAttribute("aria-label");
