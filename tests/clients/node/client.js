// Alibaba's Node SDKs, driven line by line: a JSON call on stdin, a JSON answer on stdout; go/main.go has the words.
"use strict";

const readline = require("node:readline");
const { default: OpenApi, Config, OpenApiRequest, Params } = require("@alicloud/openapi-client");

const VERSIONS = { vpc: "2016-04-28", ecs: "2014-05-26", privatelink: "2020-04-15", sts: "2015-04-01" };

// The current SDK: typed clients of VPC and ECS, and its generic call for every other product.
function acs3(config) {
  const options = new Config({
    accessKeyId: config.Key,
    accessKeySecret: config.Secret,
    endpoint: config.Host,
    protocol: config.Scheme,
    regionId: config.Region,
  });
  const typed = {
    vpc: [require("@alicloud/vpc20160428"), "@alicloud/vpc20160428"],
    ecs: [require("@alicloud/ecs20140526"), "@alicloud/ecs20140526"],
  };
  const clients = Object.fromEntries(Object.entries(typed).map(([name, [sdk]]) => [name, new sdk.default(options)]));
  const generic = new OpenApi(options);
  return async (call) => {
    const parameters = { RegionId: config.Region, ...call.parameters };
    if (!typed[call.sdk]) return callGeneric(generic, call, parameters);
    const sdk = typed[call.sdk][0];
    const Request = sdk[`${call.action}Request`];
    const method = call.action[0].toLowerCase() + call.action.slice(1);
    const answer = await clients[call.sdk][method](build(Request, parameters));
    // toMap is the SDK's own way back to the wire's names: what its model does not know is not in it.
    return { status: answer.statusCode, body: answer.body.toMap() };
  };
}

async function callGeneric(client, call, parameters) {
  const params = new Params({
    action: call.action,
    version: VERSIONS[call.sdk],
    protocol: client._protocol,
    pathname: "/",
    method: "POST",
    authType: "AK",
    style: "RPC",
    reqBodyType: "formData",
    bodyType: "json",
  });
  const answer = await client.callApi(params, new OpenApiRequest({ query: flatten(parameters) }), {});
  return { status: answer.statusCode, body: answer.body };
}

// build fills a model from the wire's names, its lists of models too.
function build(Model, wire) {
  const names = Model.names();
  const types = Model.types();
  const model = new Model({});
  for (const [field, name] of Object.entries(names)) {
    if (!(name in wire)) continue;
    const item = types[field] && types[field].itemType;
    const nested = typeof item === "function" && item.names;
    model[field] = nested ? wire[name].map((one) => build(item, one)) : wire[name];
  }
  return model;
}

// The older SDK: V1 signatures.
function v1(config) {
  const RPCClient = require("@alicloud/pop-core").RPCClient;
  return async (call) => {
    const client = new RPCClient({
      accessKeyId: config.Key,
      accessKeySecret: config.Secret,
      endpoint: `${config.Scheme}://${config.Host}`,
      apiVersion: VERSIONS[call.sdk],
    });
    const parameters = flatten({ RegionId: config.Region, ...call.parameters });
    return { status: 200, body: await client.request(call.action, parameters, { method: "POST", formatParams: false }) };
  };
}

function flatten(value, prefix = "", into = {}) {
  for (const [name, inner] of Object.entries(value)) {
    const key = prefix + (Array.isArray(value) ? Number(name) + 1 : name);
    if (inner !== null && typeof inner === "object") flatten(inner, `${key}.`, into);
    else into[key] = String(inner);
  }
  return into;
}

// Each SDK has its own fields for a refusal; code and message are in all of them.
function refusal(error) {
  const data = error.data || {};
  const status = error.statusCode || data.statusCode || (error.entry && error.entry.response.statusCode) || 0;
  return { status, code: error.code || "", message: error.message || String(error) };
}

async function main() {
  let carryOut;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const told = JSON.parse(line);
    if (!carryOut) {
      carryOut = { acs3, v1 }[process.argv[2]](told);
      continue;
    }
    const answer = await carryOut(told).catch(refusal);
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main();
