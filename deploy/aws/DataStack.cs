using Amazon.CDK;
using Amazon.CDK.AWS.Backup;
using Amazon.CDK.AWS.ECR;
using Amazon.CDK.AWS.KMS;
using Amazon.CDK.AWS.RDS;
using Amazon.CDK.AWS.SecretsManager;

namespace NetAutomation.Deploy;

/// <summary>What has to outlive everything else: keys, secrets, the database with its backups.</summary>
internal sealed class DataStack : CellStack
{
    public const string DatabaseName = "netautomation", Owner = "netautomation_owner";

    public DataStack(App app, string cell, NetworkStack network)
        : base(app, cell, "data", "keys, secrets, database, backups")
    {
        CellKey = Key("Key", "Database, secrets and backups of the cell");
        TenantKey = Key("TenantKey", "Wraps the keys of tenants: without it no credential of a device can be read");
        ClusterKey = Secret("ClusterKey", "Processes of the cell prove themselves to each other by it", 64);
        AppPassword = Secret("AppPassword", "Password of the database's role na_app", 40);
        SystemPassword = Secret("SystemPassword", "Password of the database's role na_system", 40);
        Database = MakeDatabase(network);
        BackUp();
        Image = MakeRepository("Image", "netautomation");
        CollectorImage = MakeRepository("CollectorImage", "collector");
    }

    public CfnKey CellKey { get; }

    public CfnKey TenantKey { get; }

    public CfnSecret ClusterKey { get; }

    public CfnSecret AppPassword { get; }

    public CfnSecret SystemPassword { get; }

    public CfnDBInstance Database { get; }

    public CfnRepository Image { get; }

    /// <summary>A copy of the vendor's image of AWS Distro for OpenTelemetry.</summary>
    public CfnRepository CollectorImage { get; }

    /// <summary>Made here and seen by nobody. How it is changed: docs/operating.md.</summary>
    private CfnSecret Secret(string id, string description, int length) => Kept(new CfnSecret(this, id, new CfnSecretProps
    {
        Description = description,
        KmsKeyId = CellKey.AttrArn,
        GenerateSecretString = new CfnSecret.GenerateSecretStringProperty { PasswordLength = length, ExcludePunctuation = true },
    }));

    private CfnRepository MakeRepository(string id, string name) => Kept(new CfnRepository(this, id, new CfnRepositoryProps
    {
        RepositoryName = $"{name}-{Cell}",
        ImageTagMutability = "IMMUTABLE",
        ImageScanningConfiguration = new CfnRepository.ImageScanningConfigurationProperty { ScanOnPush = true },
        EncryptionConfiguration = new CfnRepository.EncryptionConfigurationProperty { EncryptionType = "KMS", KmsKey = CellKey.AttrArn },
    }));

    private CfnDBInstance MakeDatabase(NetworkStack network)
    {
        var subnets = new CfnDBSubnetGroup(this, "DatabaseSubnets", new CfnDBSubnetGroupProps
        {
            DbSubnetGroupDescription = "Subnets without a way out",
            SubnetIds = network.Subnets("inside"),
        });
        var parameters = new CfnDBParameterGroup(this, "DatabaseParameters", new CfnDBParameterGroupProps
        {
            Family = "postgres16",
            Description = "TLS or nothing; statements of changed schema are logged, others when they are slow",
            Parameters = new Dictionary<string, string>
            {
                ["rds.force_ssl"] = "1",
                ["password_encryption"] = "scram-sha-256",
                ["log_statement"] = "none",
                ["log_min_duration_statement"] = "5000",
                ["log_parameter_max_length"] = "0",
                ["log_parameter_max_length_on_error"] = "0",
            },
        });
        var monitor = Role(
            "DatabaseMonitorRole", "monitoring.rds.amazonaws.com", Arn("rds", "db:*"),
            Allow(["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                Arn("logs", "log-group:RDSOSMetrics:log-stream:*")),
            Allow(["logs:CreateLogGroup", "logs:PutRetentionPolicy"], Arn("logs", "log-group:RDSOSMetrics")));
        var size = Parameter("DatabaseClass", "Instance class of the database.", "^db\\.[a-z0-9.]+$", "db.r7g.large");
        var storage = Parameter("DatabaseGigabytes", "Storage of the database; it grows by itself to ten times as much.", type: "Number",
            standard: "200");
        return Kept(
            new CfnDBInstance(this, "Database", new CfnDBInstanceProps
            {
                Engine = "postgres",
                EngineVersion = "16",
                DbInstanceClass = size.ValueAsString,
                DbName = DatabaseName,
                MasterUsername = Owner,
                ManageMasterUserPassword = true,
                MasterUserSecret = new CfnDBInstance.MasterUserSecretProperty { KmsKeyId = CellKey.AttrArn },
                // Within groups of a VPC of its own, another port than PostgreSQL's hides nothing.
                Port = "5432",
                AllocatedStorage = storage.ValueAsString,
                MaxAllocatedStorage = 2000,
                StorageType = "gp3",
                StorageEncrypted = true,
                KmsKeyId = CellKey.AttrArn,
                MultiAz = true,
                PubliclyAccessible = false,
                DbSubnetGroupName = subnets.Ref,
                VpcSecurityGroups = [network.Database.SecurityGroupId],
                DbParameterGroupName = parameters.Ref,
                EnableIamDatabaseAuthentication = true,
                DeletionProtection = true,
                DeleteAutomatedBackups = false,
                // Any second of the last 35 days can be restored.
                BackupRetentionPeriod = 35,
                PreferredBackupWindow = "01:30-02:30",
                PreferredMaintenanceWindow = "sun:03:00-sun:04:00",
                CopyTagsToSnapshot = true,
                AutoMinorVersionUpgrade = true,
                CaCertificateIdentifier = "rds-ca-rsa2048-g1",
                EnableCloudwatchLogsExports = ["postgresql", "upgrade"],
                MonitoringInterval = 60,
                MonitoringRoleArn = monitor.AttrArn,
                EnablePerformanceInsights = true,
                PerformanceInsightsKmsKeyId = CellKey.AttrArn,
            }),
            RemovalPolicy.SNAPSHOT);
    }

    private void BackUp()
    {
        var copy = Parameter("BackupCopyVaultArn", "A vault in another Region or account, which gets a copy of each backup.",
            "^arn:aws[a-z-]*:backup:.+$");
        var vault = Kept(new CfnBackupVault(this, "BackupVault", new CfnBackupVaultProps
        {
            BackupVaultName = $"netautomation-{Cell}",
            EncryptionKeyArn = CellKey.AttrArn,
            LockConfiguration = new CfnBackupVault.LockConfigurationTypeProperty { MinRetentionDays = 14 },
        }));
        var plan = new CfnBackupPlan(this, "BackupPlan", new CfnBackupPlanProps
        {
            BackupPlan = new CfnBackupPlan.BackupPlanResourceTypeProperty
            {
                BackupPlanName = $"netautomation-{Cell}",
                BackupPlanRule = new[]
                {
                    new CfnBackupPlan.BackupRuleResourceTypeProperty
                    {
                        RuleName = "daily",
                        TargetBackupVault = vault.Ref,
                        ScheduleExpression = "cron(0 4 * * ? *)",
                        StartWindowMinutes = 60,
                        CompletionWindowMinutes = 360,
                        Lifecycle = new CfnBackupPlan.LifecycleResourceTypeProperty { DeleteAfterDays = 35 },
                        CopyActions = new[]
                        {
                            new CfnBackupPlan.CopyActionResourceTypeProperty
                            {
                                DestinationBackupVaultArn = copy.ValueAsString,
                                Lifecycle = new CfnBackupPlan.LifecycleResourceTypeProperty { DeleteAfterDays = 90 },
                            },
                        },
                    },
                },
            },
        });
        // AWS documents neither SourceArn nor SourceAccount for the trust in AWS Backup.
        var role = Role(
            "BackupRole", "backup.amazonaws.com", source: null,
            Allow(
                ["rds:CreateDBSnapshot", "rds:CopyDBSnapshot", "rds:DeleteDBSnapshot", "rds:AddTagsToResource", "rds:ListTagsForResource",
                    "rds:DescribeDBSnapshots", "rds:DescribeDBInstances"],
                new[] { Arn("rds", "db:*"), Arn("rds", "snapshot:awsbackup:*") }),
            Allow(["backup:DescribeBackupVault", "backup:CopyIntoBackupVault"], new[] { vault.AttrBackupVaultArn, copy.ValueAsString }),
            Allow(["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"], CellKey.AttrArn));
        new CfnBackupSelection(this, "BackupSelection", new CfnBackupSelectionProps
        {
            BackupPlanId = plan.Ref,
            BackupSelection = new CfnBackupSelection.BackupSelectionResourceTypeProperty
            {
                SelectionName = "database",
                IamRoleArn = role.AttrArn,
                Resources = [Database.AttrDbInstanceArn],
            },
        });
    }
}
