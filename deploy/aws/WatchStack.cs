using Amazon.CDK;
using Amazon.CDK.AWS.AccessAnalyzer;
using Amazon.CDK.AWS.Budgets;
using Amazon.CDK.AWS.CloudWatch;
using Amazon.CDK.AWS.GuardDuty;

namespace NetAutomation.Deploy;

/// <summary>
/// Alarms, the dashboard and the budget. Every alarm names its section of docs/operating.md, and what it watches: an instrument of the
/// service by way of the collector, or a metric of AWS.
/// </summary>
internal sealed class WatchStack : CellStack
{
    private readonly EventsStack _events;

    public WatchStack(App app, string cell, DataStack data, EdgeStack edge, EventsStack events)
        : base(app, cell, "watch", "alarms, dashboard, budget")
    {
        _events = events;
        // The service's own instruments.
        Own("server-errors", "http.server.request.duration", [("http.response.status_code", "500")], "SampleCount", 0, minutes: 5);
        Own("slow-answers", "http.server.request.duration", [], "p99", 2, minutes: 15);
        Own("queue-age", "netautomation.queue.oldest", [("state", "ready")], "Maximum", 300, minutes: 10);
        Own("metering-lag", "netautomation.metering.oldest_unreported", [], "Maximum", 3600 + 900, minutes: 5);
        Own("books", "netautomation.billing.parked", [], "Maximum", 0, minutes: 1);
        Own("events-late", "netautomation.run.event_lag", [], "p99", 10, minutes: 10);
        Own("sandboxes", "netautomation.sandbox.faults", [("kind", "broken")], "Sum", 5, minutes: 5);
        Own("undecided-connection", "netautomation.connections.oldest_undecided", [], "Maximum", 600, minutes: 5);
        Own("certificate", "netautomation.edge.certificate.expires", [], "Minimum", 30 * 86_400, minutes: 60, below: true);
        Own("operator-key", "netautomation.edge.operator_key.expires", [], "Minimum", 14 * 86_400, minutes: 60, below: true);
        Own("no-schedulers", "netautomation.queue.length", [("state", "ready")], "SampleCount", 1, minutes: 5, below: true,
            missing: "breaching");

        // What AWS sees.
        Aws("dead-letters", "AWS/SQS", "ApproximateNumberOfMessagesVisible", [("QueueName", events.DeadLetters.AttrQueueName)],
            "Maximum", 0);
        Aws("ports", "AWS/NetworkELB", "PortAllocationErrorCount", [("LoadBalancer", edge.LoadBalancer.AttrLoadBalancerFullName)], "Sum",
            0);
        foreach (var (name, targets, balancer, space) in new[]
        {
            ("unhealthy-customers", edge.Customers, edge.LoadBalancer, "AWS/NetworkELB"),
            ("unhealthy-connectors", edge.Connectors, edge.LoadBalancer, "AWS/NetworkELB"),
            ("unhealthy-registration", edge.Registration, edge.PageBalancer, "AWS/ApplicationELB"),
        })
        {
            Aws(
                name, space, "UnHealthyHostCount",
                [("TargetGroup", targets.AttrTargetGroupFullName), ("LoadBalancer", balancer.AttrLoadBalancerFullName)], "Maximum", 0,
                    minutes: 5);
        }

        Aws("page-certificate", "AWS/CertificateManager", "DaysToExpiry", [("CertificateArn", edge.PageCertificateArn)], "Minimum", 30,
            minutes: 1440, below: true);
        Aws("database-storage", "AWS/RDS", "FreeStorageSpace", [("DBInstanceIdentifier", data.Database.Ref)], "Minimum", 20e9,
            minutes: 5, below: true);
        Aws("database-processor", "AWS/RDS", "CPUUtilization", [("DBInstanceIdentifier", data.Database.Ref)], "Average", 80, minutes: 15);
        Aws("database-connections", "AWS/RDS", "DatabaseConnections", [("DBInstanceIdentifier", data.Database.Ref)], "Maximum", 1200,
            minutes: 5);

        Dashboard();
        Budget();
        Guards();
    }



    private void Own(
        string section, string instrument, (string Name, string Value)[] labels, string statistic, double limit, int minutes,
            bool below = false,
        string missing = "notBreaching")
    {
        Alarm(
            section, ServicesStack.MetricsOf(Cell), Instruments.Sent(instrument, labels.Select(label => label.Name)), labels, statistic,
            limit, minutes, below, missing);
    }

    private void Aws(
        string section, string space, string metric, (string Name, string Value)[] labels, string statistic, double limit,
            int minutes = 1, bool below = false) =>
        Alarm(section, space, metric, labels, statistic, limit, minutes, below, "notBreaching");

    /// <param name="minutes">How long it has to be so.</param>
    private void Alarm(
        string section, string space, string metric, (string Name, string Value)[] labels, string statistic, double limit, int minutes,
            bool below, string missing)
    {
        var percentile = statistic.StartsWith('p');
        // Periods of a minute up to an hour, of an hour above.
        var period = minutes > 60 ? 3600 : 60;
        new CfnAlarm(this, string.Concat(section.Split('-').Select(part => char.ToUpperInvariant(part[0]) + part[1..])), new CfnAlarmProps
        {
            AlarmName = $"netautomation-{Cell}-{section}",
            AlarmDescription = $"docs/operating.md#{section}",
            Namespace = space,
            MetricName = metric,
            Dimensions = labels.Select(label => new CfnAlarm.DimensionProperty { Name = label.Name, Value = label.Value }).ToArray(),
            Statistic = percentile ? null : statistic,
            ExtendedStatistic = percentile ? statistic : null,
            Period = period,
            EvaluationPeriods = minutes > 60 ? minutes / 60 : minutes,
            Threshold = limit,
            ComparisonOperator = below ? "LessThanThreshold" : "GreaterThanThreshold",
            TreatMissingData = missing,
            AlarmActions = [_events.Alarms.Ref],
            OkActions = [_events.Alarms.Ref],
        });
    }

    private static string Quoted(string label) => $"\"{label}\"";

    private void Dashboard()
    {
        var widgets = Instruments.All.DistinctBy(each => each.Name, StringComparer.Ordinal)
            .Select((each, number) => new Dictionary<string, object>
            {
                ["type"] = "metric", ["x"] = number % 3 * 8, ["y"] = (number - (number % 3)) * 2, ["width"] = 8, ["height"] = 6,
                ["properties"] = new Dictionary<string, object>
                {
                    ["title"] = each.Name, ["region"] = Region, ["period"] = 60,
                    ["stat"] = each.Name.EndsWith("duration", StringComparison.Ordinal) ? "p99" : "Maximum",
                    ["metrics"] = new object[]
                {
                    new object[]
                    {
                        new Dictionary<string, object>
                        {
                            ["expression"] =
                                $"SEARCH('{{{string.Join(',', [ServicesStack.MetricsOf(Cell), .. each.Labels.Select(Quoted)])}}} "
                                + $"MetricName=\"{each.Name}\"', 'Maximum', 60)",
                        },
                    },
                },
                },
            }).ToArray();
        new CfnDashboard(this, "Dashboard", new CfnDashboardProps
        {
            DashboardName = $"netautomation-{Cell}",
            DashboardBody = ToJsonString(new Dictionary<string, object> { ["widgets"] = widgets }),
        });
    }

    /// <summary>One of each is enough for an account and Region.</summary>
    private void Guards()
    {
        var where = new CfnParameter(this, "AccountGuards", new CfnParameterProps
        {
            Type = "String",
            AllowedValues = ["here", "account"],
            Default = "here",
            Description = "account: GuardDuty and Access Analyzer are switched on for the whole account already.",
        });
        var here = new CfnCondition(this, "GuardsHere",
            new CfnConditionProps { Expression = Fn.ConditionEquals(where.ValueAsString, "here") });
        new CfnDetector(this, "Detector", new CfnDetectorProps { Enable = true }).CfnOptions.Condition = here;
        new CfnAnalyzer(this, "Analyzer", new CfnAnalyzerProps { Type = "ACCOUNT" }).CfnOptions.Condition = here;
    }

    private void Budget()
    {
        var dollars = Parameter("MonthlyDollars",
            "What the cell may cost in a month; at 80 % and at the forecast of 100 % somebody is told.", type: "Number",
            standard: "3000");
        var mail = Parameter("BudgetMail", "Who is told.", "^[^@ ]+@[^@ ]+$");
        var who = new[] { new CfnBudget.SubscriberProperty { SubscriptionType = "EMAIL", Address = mail.ValueAsString } };
        new CfnBudget(this, "Budget", new CfnBudgetProps
        {
            Budget = new CfnBudget.BudgetDataProperty
            {
                BudgetName = $"netautomation-{Cell}",
                BudgetType = "COST",
                TimeUnit = "MONTHLY",
                BudgetLimit = new CfnBudget.SpendProperty { Amount = dollars.ValueAsNumber, Unit = "USD" },
                CostFilters = new Dictionary<string, object> { ["TagKeyValue"] = new[] { $"user:cell${Cell}" } },
            },
            NotificationsWithSubscribers = new[] { ("ACTUAL", 80), ("FORECASTED", 100) }.Select(each =>
                new CfnBudget.NotificationWithSubscribersProperty
                {
                    Notification = new CfnBudget.NotificationProperty
                    {
                        ComparisonOperator = "GREATER_THAN", NotificationType = each.Item1, Threshold = each.Item2,
                        ThresholdType = "PERCENTAGE",
                    },
                    Subscribers = who,
                }).ToArray(),
        });
    }
}
