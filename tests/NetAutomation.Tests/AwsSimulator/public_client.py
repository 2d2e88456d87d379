"""Every operation of the simulator as boto3 calls it: requests, answers, pages, waiters and errors by botocore's own models.

usage: public_client.py AWS-URL CONTROL-URL TARGET-PORT
"""

import datetime
import json
import sys
import urllib.error
import urllib.request

import boto3
import botocore.exceptions
from botocore.config import Config

AWS, CONTROL, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
PROVIDER, CUSTOMER = "111111111111", "222222222222"
SERVICE = "vpce-svc-0123456789abcdef0"
ABSENT = "vpce-svc-00000000000000000"
NAME = "com.amazonaws.vpce.us-east-1." + SERVICE
TOPIC = f"arn:aws:sns:us-east-1:{PROVIDER}:endpoints"


def client(name, account=PROVIDER, secret=None, retries=1, region="us-east-1", token=None, key=None):
    return boto3.client(
        name, endpoint_url=AWS, region_name=region, aws_access_key_id=key or "AKIA" + account, aws_session_token=token,
        aws_secret_access_key=secret or "secret-of-" + account, config=Config(retries={"total_max_attempts": retries, "mode": "standard"}))


def control(method, path, body=None):
    request = urllib.request.Request(
        CONTROL + path, method=method, data=json.dumps(body or {}).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response
    raise AssertionError(f"{call} was not refused with {code}")


def only(answer):
    """The one code of an answer's failed items."""
    [item] = answer["Unsuccessful"]
    return item["Error"]["Code"]


def pages(api, operation, key, size, **arguments):
    """What botocore's own paginator finds; more than one page."""
    found = list(api.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}, **arguments))
    assert len(found) > 1, (operation, found)
    return [row for page in found for row in page[key]]


def endpoints():
    ec2, customer = client("ec2"), client("ec2", CUSTOMER)
    wanted = {"VpcEndpointType": "Interface", "VpcId": "vpc-1", "ServiceName": NAME}
    refused("InvalidServiceName", client("ec2", "333333333333").create_vpc_endpoint, **wanted)

    def create(token):
        return customer.create_vpc_endpoint(**wanted, ClientToken=token)["VpcEndpoint"]["VpcEndpointId"]

    made = [create(f"t{n}") for n in range(7)]
    assert create("t0") == made[0]
    afar = client("ec2", CUSTOMER, region="eu-west-1")
    refused("InvalidServiceName", afar.create_vpc_endpoint, **wanted)
    far = afar.create_vpc_endpoint(**wanted, ServiceRegion="us-east-1")["VpcEndpoint"]
    assert far["ServiceRegion"] == "us-east-1"

    rows = pages(
        ec2, "describe_vpc_endpoint_connections", "VpcEndpointConnections", 5, Filters=[{"Name": "service-id", "Values": [SERVICE]}])
    assert [row["VpcEndpointId"] for row in rows] == made + [far["VpcEndpointId"]]
    assert {row["VpcEndpointOwner"] for row in rows} == {CUSTOMER} and {row["VpcEndpointState"] for row in rows} == {"pendingAcceptance"}
    assert isinstance(rows[0]["CreationTimestamp"], datetime.datetime)

    def where(name, *values):
        answer = ec2.describe_vpc_endpoint_connections(Filters=[{"Name": name, "Values": list(values)}])
        return [row["VpcEndpointId"] for row in answer["VpcEndpointConnections"]]

    assert where("vpc-endpoint-region", "cross-region") == where("vpc-endpoint-region", "eu-west-1") == [far["VpcEndpointId"]]
    assert where("vpc-endpoint-region", "us-east-1") == made
    assert [row["VpcEndpointId"] for row in pages(customer, "describe_vpc_endpoints", "VpcEndpoints", 5)] == made
    assert [row["VpcEndpointId"] for row in afar.describe_vpc_endpoints()["VpcEndpoints"]] == [far["VpcEndpointId"]]
    refused("InvalidVpcEndpointId.NotFound", customer.describe_vpc_endpoints, VpcEndpointIds=["vpce-00000000000000000"])
    refused("InvalidFilter", ec2.describe_vpc_endpoint_connections, Filters=[{"Name": "colour", "Values": ["red"]}])
    refused("InvalidNextToken", ec2.describe_vpc_endpoint_connections, NextToken="nonsense")
    refused("DryRunOperation", ec2.accept_vpc_endpoint_connections, ServiceId=SERVICE, VpcEndpointIds=made[:1], DryRun=True)

    absent = "vpce-00000000000000000"
    answer = ec2.accept_vpc_endpoint_connections(ServiceId=SERVICE, VpcEndpointIds=made[:2] + [absent])
    assert only(answer) == "InvalidVpcEndpoint.NotFound" and answer["Unsuccessful"][0]["ResourceId"] == absent
    assert ec2.reject_vpc_endpoint_connections(ServiceId=SERVICE, VpcEndpointIds=made[2:3])["Unsuccessful"] == []
    assert only(ec2.accept_vpc_endpoint_connections(ServiceId=SERVICE, VpcEndpointIds=made[2:3])) == "InvalidState"
    refused("InvalidVpcEndpointServiceId.NotFound", ec2.reject_vpc_endpoint_connections, ServiceId=ABSENT, VpcEndpointIds=made[:1])
    refused("InvalidVpcEndpointId.Malformed", ec2.reject_vpc_endpoint_connections, ServiceId=SERVICE, VpcEndpointIds=["nonsense"])

    # An item that fails although its state is right.
    control("POST", "/control/endpoints:fault", {"vpceIds": [made[3]], "code": "Unavailable"})
    assert only(ec2.accept_vpc_endpoint_connections(ServiceId=SERVICE, VpcEndpointIds=made[3:4])) == "Unavailable"
    assert ec2.accept_vpc_endpoint_connections(ServiceId=SERVICE, VpcEndpointIds=made[3:4])["Unsuccessful"] == []

    assert customer.delete_vpc_endpoints(VpcEndpointIds=made[:1])["Unsuccessful"] == []
    assert only(customer.delete_vpc_endpoints(VpcEndpointIds=[absent])) == "InvalidVpcEndpoint.NotFound"

    # Whole calls fail; botocore knows which failures are worth another try.
    faults = (("throttle", "RequestLimitExceeded", 503), ("unavailable", "Unavailable", 503), ("internal", "InternalError", 500))
    for fault, code, status in faults:
        control("POST", "/control/ec2/faults", {"faults": [fault]})
        assert refused(code, ec2.describe_vpc_endpoint_connections)["ResponseMetadata"]["HTTPStatusCode"] == status
        control("POST", "/control/ec2/faults", {"faults": [fault], "operation": "DescribeVpcEndpointConnections"})
        assert client("ec2", retries=3).describe_vpc_endpoint_connections()["VpcEndpointConnections"]
    control("PUT", "/control/ec2", {"bucketCapacity": 2, "refillPerSecond": 0.01})
    ec2.describe_vpc_endpoint_connections()
    ec2.describe_vpc_endpoint_connections()
    refused("RequestLimitExceeded", ec2.describe_vpc_endpoint_connections)
    control("PUT", "/control/ec2", {})
    ec2.describe_vpc_endpoint_connections()


def service():
    ec2 = client("ec2")

    def configuration():
        return ec2.describe_vpc_endpoint_service_configurations(ServiceIds=[SERVICE])["ServiceConfigurations"][0]

    found = configuration()
    assert found["ServiceName"] == NAME and found["AcceptanceRequired"] and found["RemoteAccessEnabled"]
    assert [region["Region"] for region in found["SupportedRegions"]] == ["us-east-1", "eu-west-1"]
    assert len(pages(ec2, "describe_vpc_endpoint_service_configurations", "ServiceConfigurations", 5)) == 6
    not_found = "InvalidVpcEndpointServiceId.NotFound"
    refused(not_found, ec2.describe_vpc_endpoint_service_configurations, ServiceIds=[ABSENT])
    refused(not_found, client("ec2", CUSTOMER).describe_vpc_endpoint_service_configurations, ServiceIds=[SERVICE])

    def verified():
        ec2.start_vpc_endpoint_service_private_dns_verification(ServiceId=SERVICE)
        while True:
            dns = configuration()["PrivateDnsNameConfiguration"]
            if dns["State"] != "pendingVerification":
                return dns

    assert found["PrivateDnsName"] == "api.example.com" and found["PrivateDnsNameConfiguration"]["State"] == "pendingVerification"
    assert verified()["State"] == "failed"
    control("POST", f"/control/services/{SERVICE}/txt", {"published": True})
    dns = verified()
    assert dns["State"] == "verified" and dns["Type"] == "TXT" and dns["Name"].startswith("_") and dns["Value"].startswith("vpce:"), dns
    refused("InvalidParameter", ec2.start_vpc_endpoint_service_private_dns_verification, ServiceId="vpce-svc-00000000000000001")
    refused(not_found, ec2.start_vpc_endpoint_service_private_dns_verification, ServiceId=ABSENT)

    root = "arn:aws:iam::444444444444:"
    several = {
        root + "root": "Account", root + "role/net": "Role", root + "user/ann": "User", "*": "All",
        "arn:aws:organizations::444444444444:ou/o-abc123/ou-ab12-cd34": "OrganizationUnit"}
    added = ec2.modify_vpc_endpoint_service_permissions(ServiceId=SERVICE, AddAllowedPrincipals=list(several))
    assert {row["Principal"]: row["PrincipalType"] for row in added["AddedPrincipals"]} == several and added["ReturnValue"]
    assert ec2.modify_vpc_endpoint_service_permissions(ServiceId=SERVICE, AddAllowedPrincipals=["*"])["AddedPrincipals"] == []
    rows = pages(ec2, "describe_vpc_endpoint_service_permissions", "AllowedPrincipals", 5, ServiceId=SERVICE)
    assert several.items() <= {row["Principal"]: row["PrincipalType"] for row in rows}.items()
    roles = ec2.describe_vpc_endpoint_service_permissions(ServiceId=SERVICE, Filters=[{"Name": "principal-type", "Values": ["Role"]}])
    assert [row["Principal"] for row in roles["AllowedPrincipals"]] == [root + "role/net"]
    ec2.modify_vpc_endpoint_service_permissions(ServiceId=SERVICE, RemoveAllowedPrincipals=list(several))
    with_path = [root + "role/path/net"]
    refused("InvalidPrincipal", ec2.modify_vpc_endpoint_service_permissions, ServiceId=SERVICE, AddAllowedPrincipals=with_path)
    refused(not_found, ec2.describe_vpc_endpoint_service_permissions, ServiceId=ABSENT)


def notifications():
    ec2, sqs = client("ec2"), client("sqs")
    queue = f"{AWS}/{PROVIDER}/endpoints"
    events = ["Accept", "Connect", "Delete", "Reject"]
    wanted = {"ServiceId": SERVICE, "ConnectionNotificationArn": TOPIC, "ConnectionEvents": events}
    made = [ec2.create_vpc_endpoint_connection_notification(**wanted, ClientToken=f"n{n}") for n in range(6)]
    assert made[0]["ClientToken"] == "n0" and made[0]["ConnectionNotification"]["ConnectionNotificationState"] == "Enabled"
    assert made[0]["ConnectionNotification"]["ConnectionEvents"] == events
    again = ec2.create_vpc_endpoint_connection_notification(**wanted, ClientToken="n0")
    ids = [each["ConnectionNotification"]["ConnectionNotificationId"] for each in made]
    assert again["ConnectionNotification"]["ConnectionNotificationId"] == ids[0]
    rows = pages(ec2, "describe_vpc_endpoint_connection_notifications", "ConnectionNotificationSet", 5)
    assert [row["ConnectionNotificationId"] for row in rows] == ids
    other = {**wanted, "ConnectionNotificationArn": TOPIC + "-other"}
    refused("InvalidParameter", ec2.create_vpc_endpoint_connection_notification, **other)
    refused("InvalidConnectionNotification", ec2.describe_vpc_endpoint_connection_notifications, ConnectionNotificationId="vpce-nfn-0")
    client("ec2", CUSTOMER).create_vpc_endpoint(VpcEndpointType="Interface", VpcId="vpc-1", ServiceName=NAME)
    message = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, VisibilityTimeout=60)["Messages"][0]
    envelope = json.loads(message["Body"])
    assert envelope["Type"] == "Notification" and envelope["TopicArn"] == TOPIC and envelope["Message"]
    gone = ec2.delete_vpc_endpoint_connection_notifications(ConnectionNotificationIds=[*ids, "vpce-nfn-0"])["Unsuccessful"]
    assert [item["ResourceId"] for item in gone] == ["vpce-nfn-0"] and gone[0]["Error"]["Code"] == "InvalidConnectionNotification"
    assert ec2.describe_vpc_endpoint_connection_notifications()["ConnectionNotificationSet"] == []


def targets():
    elb = client("elbv2")
    assert [group["TargetGroupName"] for group in pages(elb, "describe_target_groups", "TargetGroups", 1)] == ["customer", "spare"]
    arn = elb.describe_target_groups(Names=["customer"])["TargetGroups"][0]["TargetGroupArn"]
    refused("TargetGroupNotFound", elb.describe_target_groups, Names=["nobody"])
    target = [{"Id": "127.0.0.1", "Port": PORT}]
    elb.register_targets(TargetGroupArn=arn, Targets=target)
    elb.get_waiter("target_in_service").wait(TargetGroupArn=arn, Targets=target, WaiterConfig={"Delay": 1, "MaxAttempts": 40})
    refused("InvalidTarget", elb.register_targets, TargetGroupArn=arn, Targets=[{"Id": "nowhere"}])
    refused("TargetGroupNotFound", elb.describe_target_health, TargetGroupArn=arn + "0")
    set_ = {"deregistration_delay.timeout_seconds": "5", "proxy_protocol_v2.enabled": "false"}
    attributes = [{"Key": key, "Value": value} for key, value in set_.items()]
    changed = elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
    for answer in (changed, elb.describe_target_group_attributes(TargetGroupArn=arn)):
        assert set_.items() <= {each["Key"]: each["Value"] for each in answer["Attributes"]}.items()
    refused("ValidationError", elb.modify_target_group_attributes, TargetGroupArn=arn, Attributes=[{"Key": "colour", "Value": "red"}])
    refused("TargetGroupNotFound", elb.describe_target_group_attributes, TargetGroupArn=arn + "0")
    elb.deregister_targets(TargetGroupArn=arn, Targets=target)
    health = elb.describe_target_health(TargetGroupArn=arn, Targets=target)["TargetHealthDescriptions"][0]["TargetHealth"]
    assert health["State"] == "draining"
    elb.get_waiter("target_deregistered").wait(TargetGroupArn=arn, Targets=target, WaiterConfig={"Delay": 1, "MaxAttempts": 40})
    refused("TargetGroupNotFound", elb.deregister_targets, TargetGroupArn=arn + "0", Targets=target)


def identity():
    sts = client("sts")
    me = sts.get_caller_identity()
    assert (me["Account"], me["Arn"], me["UserId"]) == (PROVIDER, f"arn:aws:iam::{PROVIDER}:root", PROVIDER), me
    session = client("sts", key="ASIASESSION", secret="secret-of-session", token="token-of-session")
    assert session.get_caller_identity()["Arn"] == f"arn:aws:sts::{CUSTOMER}:assumed-role/net/job-7"
    assert session.get_caller_identity()["UserId"].endswith(":job-7")
    refused("SignatureDoesNotMatch", client("sts", secret="guess").get_caller_identity)
    refused("InvalidClientTokenId", client("sts", "999999999999").get_caller_identity)
    refused("InvalidClientTokenId", client("sts", key="ASIASESSION", secret="secret-of-session", token="other").get_caller_identity)
    refused("ExpiredToken", client("sts", key="ASIAOVER", secret="secret-of-session", token="token-of-session").get_caller_identity)

    def get(url, headers):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def presigned(api, **headers):
        """As HashiCorp Vault's and EKS's clients do it: further headers under the signature."""
        def add(request, **_):
            for name, value in headers.items():
                request.headers.add_header(name.replace("_", "-"), value)

        api.meta.events.register("before-sign.sts.GetCallerIdentity", add)
        return api.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")

    status, text = get(presigned(client("sts"), x_netautomation_challenge="n1"), {"x-netautomation-challenge": "n1"})
    assert status == 200 and f"<Account>{PROVIDER}</Account>" in text and 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"' in text, text
    for headers in ({}, {"x-netautomation-challenge": "n2"}):
        status, text = get(presigned(client("sts"), x_netautomation_challenge="n1"), headers)
        assert status == 403 and "<Code>SignatureDoesNotMatch</Code>" in text, text
    status, text = get(presigned(client("sts", key="ASIASESSION", secret="secret-of-session", token="token-of-session")), {})
    assert status == 200 and "assumed-role/net/job-7" in text, text
    status, text = get(presigned(client("sts")).replace("X-Amz-Expires=60", "X-Amz-Expires=600"), {})
    assert status == 403 and "<Code>SignatureDoesNotMatch</Code>" in text, text


def marketplace():
    metering, entitlement, sqs = client("meteringmarketplace"), client("marketplace-entitlement"), client("sqs")
    now = datetime.datetime.now(datetime.timezone.utc)
    bought = control("POST", "/control/subscriptions", {"account": CUSTOMER, "entitlements": {f"d{n}": n for n in range(3)}})
    control("POST", f"/control/subscriptions/{bought['id']}:activate")
    resolved = metering.resolve_customer(RegistrationToken=bought["registrationToken"])
    assert resolved["LicenseArn"] == bought["licenseArn"] and "CustomerIdentifier" not in resolved
    refused("InvalidTokenException", metering.resolve_customer, RegistrationToken="nonsense")
    entitled = pages(entitlement, "get_entitlements", "Entitlements", 1, ProductCode="pc", Filter={"LICENSE_ARN": [bought["licenseArn"]]})
    assert [(row["Dimension"], row["Value"]["IntegerValue"]) for row in entitled] == [("d0", 0), ("d1", 1), ("d2", 2)]
    refused("InvalidParameterException", entitlement.get_entitlements, ProductCode="other")
    record = {"Timestamp": now, "CustomerAWSAccountId": CUSTOMER, "LicenseArn": bought["licenseArn"], "Dimension": "runs", "Quantity": 3}
    assert metering.batch_meter_usage(UsageRecords=[record])["Results"][0]["Status"] == "Success"
    assert metering.batch_meter_usage(UsageRecords=[{**record, "Quantity": 4}])["Results"][0]["Status"] == "DuplicateRecord"
    refused("InvalidUsageDimensionException", metering.batch_meter_usage, UsageRecords=[{**record, "Dimension": "other"}])

    # A product without concurrent agreements: its customers have identifiers, its notices come by SNS.
    old = control("POST", "/control/subscriptions", {"account": CUSTOMER, "productCode": "old", "entitlements": {"runs": 5}})
    control("POST", f"/control/subscriptions/{old['id']}:activate")
    who = metering.resolve_customer(RegistrationToken=old["registrationToken"])
    identifier = who["CustomerIdentifier"]
    assert (identifier, who["CustomerAWSAccountId"], who["ProductCode"]) == (old["customerIdentifier"], CUSTOMER, "old")
    assert "LicenseArn" not in who
    entitled = entitlement.get_entitlements(ProductCode="old", Filter={"CUSTOMER_IDENTIFIER": [identifier]})["Entitlements"]
    assert entitled[0]["CustomerIdentifier"] == identifier
    refused("InvalidParameterException", entitlement.get_entitlements, ProductCode="pc", Filter={"CUSTOMER_IDENTIFIER": ["x"]})
    used = {"Timestamp": now, "CustomerIdentifier": identifier, "Dimension": "runs", "Quantity": 3}
    assert metering.batch_meter_usage(ProductCode="old", UsageRecords=[used])["Results"][0]["Status"] == "Success"
    stranger = [{**used, "CustomerIdentifier": "nobody"}]
    refused("InvalidCustomerIdentifierException", metering.batch_meter_usage, ProductCode="old", UsageRecords=stranger)
    refused("InvalidCustomerIdentifierException", metering.batch_meter_usage, UsageRecords=[used])

    for queue in (f"{AWS}/{PROVIDER}/events", f"{AWS}/{PROVIDER}/notices"):
        messages = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageSystemAttributeNames=["All"])["Messages"]
        assert messages[0]["Attributes"]["ApproximateReceiveCount"] == "1"
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert json.loads(json.loads(messages[0]["Body"])["Message"])["customer-identifier"] == identifier
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    assert sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"][0]["Body"] == "hello"
    missing = queue + "-other"
    refused("AWS.SimpleQueueService.NonExistentQueue", sqs.receive_message, QueueUrl=missing)
    refused("AWS.SimpleQueueService.NonExistentQueue", sqs.send_message, QueueUrl=missing, MessageBody="x")
    refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=queue, ReceiptHandle="nonsense")


def keys():
    kms, identifier, place = client("kms"), "1a2b3c4d-0000-4000-8000-000000000001", {"tenant": "a", "version": "1"}
    sealed = kms.encrypt(KeyId=identifier, Plaintext=b"secret", EncryptionContext=place)
    assert sealed["KeyId"] == f"arn:aws:kms:us-east-1:{PROVIDER}:key/{identifier}" and b"secret" not in sealed["CiphertextBlob"]
    blob = sealed["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"version": "1", "tenant": "a"}, KeyId=sealed["KeyId"])
    assert opened["Plaintext"] == b"secret" and opened["KeyId"] == sealed["KeyId"]
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob, EncryptionContext={"tenant": "b", "version": "1"})
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]), EncryptionContext=place)
    refused("NotFoundException", kms.encrypt, KeyId="1a2b3c4d-0000-4000-8000-00000000000f", Plaintext=b"secret")
    refused("NotFoundException", client("kms", CUSTOMER).decrypt, CiphertextBlob=blob, EncryptionContext=place)
    refused("ValidationException", kms.encrypt, KeyId=identifier, Plaintext=b"x" * 4097)
    control("POST", f"/control/keys/{identifier}:disable")
    refused("DisabledException", kms.decrypt, CiphertextBlob=blob, EncryptionContext=place)
    control("POST", f"/control/keys/{identifier}:enable")


for part in (endpoints, service, notifications, targets, identity, marketplace, keys):
    part()
