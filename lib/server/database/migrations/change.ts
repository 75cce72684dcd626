/** A statement that changes the schema, or one for each engine if their SQL differs. */
export type Change = string | { sqlite?: string; postgres?: string };
