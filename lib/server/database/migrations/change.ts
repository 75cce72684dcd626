/** A statement that changes the database, or one for each engine that needs other words. */
export type Change = string | { sqlite?: string; postgres?: string };
