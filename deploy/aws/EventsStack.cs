using Amazon.CDK;
using Amazon.CDK.AWS.EC2;
using Amazon.CDK.AWS.KMS;
using Amazon.CDK.AWS.SNS;
using Amazon.CDK.AWS.SQS;
using CfnRule = Amazon.CDK.AWS.Events.CfnRule;
using CfnRuleProps = Amazon.CDK.AWS.Events.CfnRuleProps;

namespace NetAutomation.Deploy;

/// <summary>
/// What AWS tells the cell: changes of endpoint connections, and of agreements of AWS Marketplace. Each has its own queue, since two
/// loops read them; both queues give up to one for dead letters.
/// </summary>
internal sealed class EventsStack : CellStack
{
    public EventsStack(App app, string cell, EdgeStack edge)
        : base(app, cell, "events", "notices of endpoint connections, events of AWS Marketplace")
    {
        MessageKey = Key(
            "Key", "Notices and events on their way to the cell", Sender("vpce.amazonaws.com"), Sender("sns.amazonaws.com"),
            Sender("events.amazonaws.com"), Sender("cloudwatch.amazonaws.com"));
        DeadLetters = Queue("DeadLetters", dead: null);
        Notices = Queue("Notices", DeadLetters);
        Events = Queue("Events", DeadLetters);

        var topic = Topic("NoticeTopic");
        TopicPolicy("NoticeTopicPolicy", topic, "vpce.amazonaws.com", Arn("ec2", $"vpc-endpoint-service/{edge.Service.Ref}"));
        new CfnSubscription(this, "NoticeSubscription", new CfnSubscriptionProps
        {
            TopicArn = topic.Ref,
            Protocol = "sqs",
            Endpoint = Notices.AttrArn,
        });
        TlsPolicy("NoticesPolicy", Notices, By("sns.amazonaws.com", Allow(["sqs:SendMessage"], Notices.AttrArn), topic.Ref));
        new CfnVPCEndpointConnectionNotification(this, "Notification", new CfnVPCEndpointConnectionNotificationProps
        {
            ServiceId = edge.Service.Ref,
            ConnectionNotificationArn = topic.Ref,
            ConnectionEvents = ["Accept", "Connect", "Delete", "Reject"],
        });

        // AWS Marketplace sends to us-east-1 alone. A cell elsewhere has a rule there that sends on to this Region's bus.
        var rule = new CfnRule(this, "Agreements", new CfnRuleProps
        {
            Description = "Agreements of AWS Marketplace",
            EventPattern = new Dictionary<string, object> { ["source"] = new[] { "aws.agreement-marketplace" } },
            State = "ENABLED",
            Targets = new[]
            {
                new CfnRule.TargetProperty
                {
                    Id = "queue",
                    Arn = Events.AttrArn,
                    DeadLetterConfig = new CfnRule.DeadLetterConfigProperty { Arn = DeadLetters.AttrArn },
                },
            },
        });
        TlsPolicy("DeadLettersPolicy", DeadLetters,
            By("events.amazonaws.com", Allow(["sqs:SendMessage"], DeadLetters.AttrArn), rule.AttrArn));
        TlsPolicy("EventsPolicy", Events, By("events.amazonaws.com", Allow(["sqs:SendMessage"], Events.AttrArn), rule.AttrArn));

        Alarms = Topic("AlarmTopic");
        TopicPolicy("AlarmTopicPolicy", Alarms, "cloudwatch.amazonaws.com", Arn("cloudwatch", "alarm:*"));
        new CfnSubscription(this, "AlarmSubscription", new CfnSubscriptionProps
        {
            TopicArn = Alarms.Ref,
            Protocol = "email",
            Endpoint = Parameter("AlarmMail", "Who is told of alarms.", "^[^@ ]+@[^@ ]+$").ValueAsString,
        });
    }

    public CfnKey MessageKey { get; }

    public CfnQueue Notices { get; }

    public CfnQueue Events { get; }

    public CfnQueue DeadLetters { get; }

    public CfnTopic Alarms { get; }

    /// <summary>A service of AWS may encrypt for this account.</summary>
    private Dictionary<string, object> Sender(string service)
    {
        var statement = Allow(["kms:Decrypt", "kms:GenerateDataKey"], "*");
        statement["Principal"] = new Dictionary<string, object> { ["Service"] = service };
        statement["Condition"] = new Dictionary<string, object>
        {
            ["StringEquals"] = new Dictionary<string, object> { ["aws:SourceAccount"] = Account },
        };
        return statement;
    }

    private CfnQueue Queue(string id, CfnQueue? dead) => Kept(new CfnQueue(this, id, new CfnQueueProps
    {
        KmsMasterKeyId = MessageKey.AttrArn,
        MessageRetentionPeriod = 1_209_600,
        VisibilityTimeout = 60,
        ReceiveMessageWaitTimeSeconds = 20,
        RedrivePolicy = dead is null ? null : new Dictionary<string, object>
        {
            ["deadLetterTargetArn"] = dead.AttrArn, ["maxReceiveCount"] = 20,
        },
    }));

    private CfnTopic Topic(string id) => new(this, id, new CfnTopicProps { KmsMasterKeyId = MessageKey.AttrArn });

    private void TopicPolicy(string id, CfnTopic topic, string service, string source) =>
        new CfnTopicPolicy(this, id, new CfnTopicPolicyProps
        {
            Topics = [topic.Ref],
            PolicyDocument = Policy(By(service, Allow(["sns:Publish"], topic.Ref), source), TlsOnly(["sns:Publish"], topic.Ref)),
        });

    private void TlsPolicy(string id, CfnQueue queue, params Dictionary<string, object>[] allowed) =>
        new CfnQueuePolicy(this, id, new CfnQueuePolicyProps
        {
            Queues = [queue.Ref],
            PolicyDocument = Policy([.. allowed, TlsOnly(["sqs:*"], queue.AttrArn)]),
        });
}
