// What the official AsyncAPI parser has to say: node tests/contract.js docs/contract/asyncapi.json
const fs = require("fs");
const { Parser } = require("@asyncapi/parser");

new Parser().validate(fs.readFileSync(process.argv[2], "utf8")).then((found) => {
  const bad = found.filter((one) => one.severity < 2); // 0 error, 1 warning
  for (const one of found) console.log(one.severity, one.code, one.path.join("."), one.message);
  process.exit(bad.length ? 1 : 0);
});
