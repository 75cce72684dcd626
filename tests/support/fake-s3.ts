import { signed } from "../../lib/server/storage/s3/signature.ts";
import {
  cut,
  escape,
  failure,
  type FakeUpload,
  listed,
  md5Of,
  metaOf,
  xml,
} from "./fake-s3-answers.ts";

/** A fault that the fake S3 applies to a request. Null: none, the request is answered. */
export type S3Fault = "cut" | "no answer" | { status: number; code: string } | null;

export interface StoredObject {
  bytes: Uint8Array<ArrayBuffer>;
  etag: string;
  meta: Record<string, string>;
}

const SECRET = "the-secret-of-a-fake-s3";

/**
 * An in-memory S3 server on its own port. It has the calls that the server uses, and checks them as strictly
 * as S3.
 */
export class FakeS3 implements AsyncDisposable {
  readonly bucket = "files";
  readonly accessKeyId = "ACCESS";
  readonly secretAccessKey = SECRET;
  readonly region = "test-1";
  readonly uploads = new Map<string, FakeUpload>();
  /** All requests so far, as lines such as `PUT some/key?partNumber=1`. */
  readonly requests: string[] = [];
  /** Chooses the fault for each request, given as a line such as `PUT some/key`. */
  fault: (request: string) => S3Fault | Promise<S3Fault> = () => null;
  /** Minimum size of every part except the last, in bytes. */
  minPart = 5 * 1024 * 1024;
  #server: Bun.Server<undefined>;
  #isAway = false;

  constructor(readonly objects = new Map<string, StoredObject>()) {
    this.#server = this.#serve(0);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  readonly port: number = 0;

  /** Closes the port, as if S3 had gone down. */
  async goAway(): Promise<void> {
    this.#isAway = true;
    await this.#server.stop(true);
  }

  /** Answers again on the same port, with the same objects. */
  comeBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#server = this.#serve(this.port);
  }

  /** Keys of all stored objects, sorted. */
  get keys(): string[] {
    return [...this.objects.keys()].toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }

  #serve(port: number): Bun.Server<undefined> {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port,
      idleTimeout: 255,
      maxRequestBodySize: 2 ** 30,
      fetch: (request) => this.#answer(request),
    });
    Object.assign(this, { port: server.port });
    return server;
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const [, bucket, ...names] = url.pathname.split("/");
    const key = names.map(decodeURIComponent).join("/");
    const line = `${request.method} ${key}${url.search}`;
    this.requests.push(line);
    const body = new Uint8Array(await request.arrayBuffer());
    const fault = await this.fault(line);
    if (fault === "no answer") return new Promise<Response>(() => undefined);
    if (fault !== null && fault !== "cut") return failure(fault.status, fault.code);
    const wrong = bucket === this.bucket ? this.#checked(request, url, body) : "NoSuchBucket";
    if (wrong) return failure(wrong === "NoSuchBucket" ? 404 : 403, wrong);
    const answer = this.#do(request, key, url.searchParams, body);
    return fault === "cut" ? cut(await answer.bytes(), answer.headers) : answer;
  }

  /**
   * Verifies the signature of a request and the MD5 of its body. Returns the S3 error code, or null if both
   * are right.
   */
  #checked(request: Request, url: URL, body: Uint8Array): string | null {
    const sent = request.headers.get("authorization") ?? "";
    const names = /SignedHeaders=([^,]+)/.exec(sent)?.[1]?.split(";") ?? [];
    const at = (request.headers.get("x-amz-date") ?? "").replace(
      /(....)(..)(..)T(..)(..)(..)Z/,
      "$1-$2-$3T$4:$5:$6Z",
    );
    const own = new Set(["host", "x-amz-date", "x-amz-content-sha256"]);
    const right = signed(
      {
        method: request.method,
        host: url.host,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: Object.fromEntries(
          names.filter((name) => !own.has(name)).map((n) => [n, request.headers.get(n) ?? ""]),
        ),
        bodyHash: request.headers.get("x-amz-content-sha256") ?? "",
      },
      this,
      Date.parse(at),
    );
    if (right["authorization"] !== sent) return "SignatureDoesNotMatch";
    const md5 = request.headers.get("content-md5");
    return md5 !== null && md5 !== md5Of(body, "base64") ? "BadDigest" : null;
  }

  #do(request: Request, key: string, query: URLSearchParams, body: Uint8Array<ArrayBuffer>) {
    const { method, headers } = request;
    if (key === "") {
      return method === "POST" ? this.#removeMany(body) : this.#list(query);
    }
    const uploadId = query.get("uploadId");
    if (method === "POST" && query.has("uploads")) return this.#create(key, headers);
    if (uploadId !== null) return this.#inUpload(method, uploadId, query, headers, body);
    if (method === "PUT") return this.#put(key, headers, body);
    if (method === "DELETE") {
      this.objects.delete(key);
      return new Response(null, { status: 204 });
    }
    return this.#get(key, headers);
  }

  #put(key: string, headers: Headers, body: Uint8Array<ArrayBuffer>): Response {
    if (headers.has("if-none-match") && this.objects.has(key)) {
      return failure(412, "PreconditionFailed");
    }
    const source = this.#source(headers);
    if (source instanceof Response) return source;
    const bytes = source ?? body;
    const etag = `"${md5Of(bytes, "hex")}"`;
    this.objects.set(key, { bytes, etag, meta: metaOf(headers) });
    if (source) return xml(`<CopyObjectResult><ETag>${etag}</ETag></CopyObjectResult>`);
    return new Response(null, { headers: { etag } });
  }

  /**
   * Returns the bytes of the object that a copy request names as its source, or an error response. Null if
   * the request is no copy.
   */
  #source(headers: Headers): Uint8Array<ArrayBuffer> | Response | null {
    const named = headers.get("x-amz-copy-source");
    if (named === null) return null;
    const key = named.split("/").slice(2).map(decodeURIComponent).join("/");
    const found = this.objects.get(key);
    if (!found) return failure(404, "NoSuchKey");
    const match = headers.get("x-amz-copy-source-if-match");
    if (match !== null && match !== found.etag) return failure(412, "PreconditionFailed");
    const range = /bytes=(\d+)-(\d+)/.exec(headers.get("x-amz-copy-source-range") ?? "");
    return range ? found.bytes.slice(Number(range[1]), Number(range[2]) + 1) : found.bytes;
  }

  #get(key: string, headers: Headers): Response {
    const found = this.objects.get(key);
    if (!found) return failure(404, "NoSuchKey");
    const { bytes, etag, meta } = found;
    const match = headers.get("if-match");
    if (match !== null && match !== etag) return failure(412, "PreconditionFailed");
    const range = /bytes=(\d+)-(\d+)/.exec(headers.get("range") ?? "");
    const some = range ? bytes.slice(Number(range[1]), Number(range[2]) + 1) : bytes;
    return new Response(some, { status: range ? 206 : 200, headers: { ...meta, etag } });
  }

  #create(key: string, headers: Headers): Response {
    const id = `${Bun.randomUUIDv7()}/+=`;
    this.uploads.set(id, { key, meta: metaOf(headers), parts: new Map() });
    return xml(
      `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  }

  #inUpload(
    method: string,
    id: string,
    query: URLSearchParams,
    headers: Headers,
    body: Uint8Array<ArrayBuffer>,
  ): Response {
    const upload = this.uploads.get(id);
    if (!upload) return failure(404, "NoSuchUpload");
    if (method === "DELETE") {
      this.uploads.delete(id);
      return new Response(null, { status: 204 });
    }
    if (method === "GET") return listed(upload);
    if (method === "POST") return this.#complete(id, upload, headers, body);
    const source = this.#source(headers);
    if (source instanceof Response) return source;
    const bytes = source ?? body;
    const etag = `"${md5Of(bytes, "hex")}"`;
    upload.parts.set(Number(query.get("partNumber")), { bytes, etag });
    if (source) return xml(`<CopyPartResult><ETag>${etag}</ETag></CopyPartResult>`);
    return new Response(null, { headers: { etag } });
  }

  #complete(id: string, upload: FakeUpload, headers: Headers, body: Uint8Array): Response {
    if (headers.has("if-none-match") && this.objects.has(upload.key)) {
      return failure(412, "PreconditionFailed");
    }
    const text = new TextDecoder().decode(body).replaceAll("&#34;", '"');
    const named = [...text.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]+)</g)];
    const parts = named.map(([, n, etag]) => {
      const part = upload.parts.get(Number(n));
      return part?.etag === etag ? part : undefined;
    });
    const whole = parts.filter((part) => part !== undefined);
    if (whole.length !== named.length || whole.length === 0) return failure(400, "InvalidPart");
    if (whole.slice(0, -1).some(({ bytes }) => bytes.length < this.minPart)) {
      return failure(400, "EntityTooSmall");
    }
    // Some S3 services require equal sizes for all parts except the last.
    if (new Set(whole.slice(0, -1).map(({ bytes }) => bytes.length)).size > 1) {
      return failure(400, "InvalidPart");
    }
    const bytes = new Uint8Array(Buffer.concat(whole.map((part) => part.bytes)));
    const etag = `"${md5Of(bytes, "hex")}-${whole.length}"`;
    this.objects.set(upload.key, { bytes, etag, meta: upload.meta });
    this.uploads.delete(id);
    return xml(
      `<CompleteMultipartUploadResult><ETag>${etag}</ETag></CompleteMultipartUploadResult>`,
    );
  }

  #removeMany(body: Uint8Array): Response {
    const keys = [...new TextDecoder().decode(body).matchAll(/<Key>([^<]*)<\/Key>/g)];
    for (const [, key = ""] of keys) {
      this.objects.delete(
        key.replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))),
      );
    }
    return xml("<DeleteResult></DeleteResult>");
  }

  #list(query: URLSearchParams): Response {
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter");
    const most = Number(query.get("max-keys") ?? 1000);
    const after = query.get("continuation-token") ?? "";
    const found = new Map<string, string>();
    for (const key of this.keys) {
      if (!key.startsWith(prefix)) continue;
      const end = delimiter === null ? -1 : key.indexOf(delimiter, prefix.length);
      const name = end < 0 ? key : key.slice(0, end + 1);
      const { bytes, etag } = this.objects.get(key)!;
      const isFolder = end >= 0;
      found.set(
        name,
        isFolder
          ? `<CommonPrefixes><Prefix>${escape(name)}</Prefix></CommonPrefixes>`
          : `<Contents><Key>${escape(key)}</Key><Size>${bytes.length}</Size><ETag>${escape(etag)}</ETag></Contents>`,
      );
    }
    const rest = [...found].filter(([name]) => name > after);
    const page = rest.slice(0, most);
    const next = rest.length > most ? (page.at(-1)?.[0] ?? "") : null;
    const token =
      next === null ? "" : `<NextContinuationToken>${escape(next)}</NextContinuationToken>`;
    const all = page.map(([, text]) => text).join("");
    return xml(`<ListBucketResult>${all}${token}</ListBucketResult>`);
  }
}
