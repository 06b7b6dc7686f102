// Connects with the shown URL.  The text comes on stdin, the row goes to stdout.
import { readFileSync } from "node:fs";
import { createConnection } from "mysql2/promise";

const connection = await createConnection(readFileSync(0, "utf8"));
const [[row]] = await connection.query("SELECT CONCAT(CURRENT_USER(), ' ', DATABASE()) AS who");
console.log(row.who);
await connection.end();
