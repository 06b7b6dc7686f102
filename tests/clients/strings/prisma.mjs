// Connects through Prisma's own driver for MySQL: its adapter, with no generated client above it.  Prisma's older engine,
// a binary that it downloads, read `sslaccept=strict` in the URL; the adapter wants the same said as an option.
// The text comes on stdin, the row goes to stdout.
import { readFileSync } from "node:fs";
import { PrismaMariaDb } from "@prisma/adapter-mariadb";

const url = new URL(readFileSync(0, "utf8"));
const { sslaccept, ...unknown } = Object.fromEntries(url.searchParams);
if (Object.keys(unknown).length || ![undefined, "strict"].includes(sslaccept)) throw new Error(url.search);
const adapter = await new PrismaMariaDb({
  host: url.hostname,
  port: Number(url.port),
  user: decodeURIComponent(url.username),
  password: decodeURIComponent(url.password),
  database: url.pathname.slice(1),
  acquireTimeout: 4000,
  ssl: sslaccept === "strict" ? { rejectUnauthorized: true } : undefined,
}).connect();
const answer = await adapter.queryRaw({ sql: "SELECT CONCAT(CURRENT_USER(), ' ', DATABASE())", args: [], argTypes: [] });
console.log(answer.rows[0][0]);
await adapter.dispose();
