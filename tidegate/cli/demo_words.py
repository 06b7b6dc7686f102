"""The demo's sentences, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "start": ("Tidegate starts", "启动 Tidegate"),
    "started": ("Tidegate runs at {address}", "Tidegate 已运行：{address}"),
    "step1": ("Step 1. Choose a TiDB cluster", "第 1 步：选择 TiDB 集群"),
    "step2": ("Step 2. Create a private endpoint", "第 2 步：创建私有终端节点"),
    "step3": ("Step 3. Connect through the private endpoint", "第 3 步：使用私有终端节点连接到集群"),
    "step4": ("What must fail, and does fail", "必须失败、也确实失败的连接"),
    "cluster": ("cluster {name} created, real TiDB, ACTIVE", "集群 {name} 已创建（真实的 TiDB），ACTIVE"),
    "cluster_doing": ("cluster {name}: TiDB starts", "集群 {name}：正在启动 TiDB"),
    "service_name": ("Service Name", "服务名称 Service Name"),
    "zones": ("Availability Zone ID", "可用区 Availability Zone ID"),
    "region_id": ("Region ID", "地域 Region ID"),
    "network": (
        "VPC {name} {cidr}, its vSwitch, a security group that allows TCP 4000",
        "VPC {name} {cidr}、交换机、放行 TCP 4000 的安全组",
    ),
    "verify": ("Verify: the service is valid", "验证：服务有效"),
    "endpoint": ("endpoint {id}: {status}, {connection}", "终端节点 {id}：{status}，{connection}"),
    "endpoint_doing": ("the endpoint is being created", "正在创建终端节点"),
    "domain": ("Domain Name of Endpoint Service", "终端节点服务域名"),
    "string": ("Connection string", "连接字符串"),
    "rows": (
        "a program inside VPC {name} connected by that name, made a table, wrote and read {count} rows: {rows}",
        "VPC {name} 内的程序用该域名连接，建表、写入并读回 {count} 行：{rows}",
    ),
    "rows_doing": ("a program inside VPC {name} connects by that name", "VPC {name} 内的程序用该域名连接"),
    "version": ("answered by", "应答者"),
    "second": ("a second VPC with the same CIDR {cidr}", "第二个 VPC，网段相同：{cidr}"),
    "same_cidr_vpc_by_name": ("from the second VPC, by the endpoint's name", "从第二个 VPC，用终端节点的域名"),
    "same_cidr_vpc_by_address": ("from the second VPC, by the endpoint's address", "从第二个 VPC，用终端节点的地址"),
    "closed_security_group": (
        "through an endpoint whose security group does not allow 4000",
        "经由安全组未放行 4000 的终端节点",
    ),
    "from_the_host": ("from the host, outside any VPC", "从宿主机（不在任何 VPC 内）"),
    "wrong_prefix": ("from the right VPC, with a wrong user-name prefix", "从正确的 VPC，但用户名前缀错误"),
    "cross_region_endpoint": ("a cross-region endpoint", "跨地域的终端节点"),
    "gcp_cluster": ("a private endpoint for a gcp cluster", "gcp 集群的私有终端节点"),
    "no such name": ("no such name", "无此域名"),
    "no answer": ("no answer", "无应答"),
    "expected": ("EXPECTED {expected}", "应为 {expected}"),
    "total": ("All of it held, in {seconds:.1f} s.", "全部符合预期，共 {seconds:.1f} 秒。"),
    "broken": ("Not everything held: {what}.", "未全部符合预期：{what}。"),
    "clean": ("everything the demo made is removed again", "演示所建的一切均已清除"),
    "kept": ("It is left running. APIs: {address}", "保持运行。API：{address}"),
    "was": (
        "APIs were at {address}; keep them running: --keep",
        "API 曾在 {address}；保持运行：--keep",
    ),
    "further": ("Look further:", "继续查看："),
    "password": ("Password of {user} (shown only now): {password}", "{user} 的密码（仅显示这一次）：{password}"),
}


def choose_language(asked: str | None, environ: Mapping[str, str]) -> str:
    """``zh`` or ``en``: as asked, else as the environment says (LC_ALL before LC_MESSAGES before LANG, POSIX)."""
    if asked:
        return asked
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return "zh" if environ[name].startswith("zh") else "en"
    return "en"


def say(language: str, key: str, **facts: object) -> str:
    return WORDS[key][language == "zh"].format(**facts)
