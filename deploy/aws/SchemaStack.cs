using Amazon.CDK;

namespace NetAutomation.Deploy;

/// <summary>
/// The task that changes the schema. It is a stack of its own, since it is run by hand between two others: with the new image, and before
/// the services have it. It alone has the owner of the schema.
/// </summary>
internal sealed class SchemaStack : TaskStack
{
    public SchemaStack(App app, string cell, NetworkStack network, DataStack data)
        : base(app, cell, "schema", "the task that changes the schema", network, data)
    {
        SecretValue[] secrets =
        [
            SecretValue.Member("OWNER_PASSWORD", data.Database.AttrMasterUserSecretSecretArn, "password"),
            SecretValue.Whole("Database__AppPassword", data.AppPassword.Ref),
            SecretValue.Whole("Database__SystemPassword", data.SystemPassword.Ref),
        ];
        var logs = Logs("migrate");
        // Amazon RDS makes the password, and a file of passwords quotes colons and backslashes.
        var container = Container(
            "migrate",
            $"umask 077; printf '*:*:*:*:%s\\n' \"$(printf %s \"$OWNER_PASSWORD\" | sed 's/[:\\\\]/\\\\&/g')\" > {Home}/pgpass; "
            + "unset OWNER_PASSWORD; exec dotnet /app/NetAutomation.dll migrate",
            logs);
        container.Environment = new[] { Variable("Database__Owner", Connection(DataStack.Owner)) };
        container.Secrets = secrets.Select(each => each.Property).ToArray();
        var task = Task("migrate", 512, 1024, onHost: false, logs, TaskRole("MigrateRole"), secrets, container);
        new CfnOutput(this, "MigrateCommand", new CfnOutputProps
        {
            Description = "Changes the schema; wait for its end before the services are renewed",
            Value = $"aws ecs run-task --cluster {Cluster} --task-definition {task.Ref} --launch-type FARGATE --network-configuration "
                + $"'awsvpcConfiguration={{subnets=[{string.Join(',', network.Subnets("service"))}],"
                + $"securityGroups=[{network.Migrate.SecurityGroupId}]}}'",
        });
    }
}
