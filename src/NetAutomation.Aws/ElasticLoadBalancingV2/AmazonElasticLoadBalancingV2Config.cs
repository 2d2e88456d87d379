using NetAutomation.Aws.Wire;

namespace Amazon.ElasticLoadBalancingV2;

/// <summary>Configuration of <see cref="AmazonElasticLoadBalancingV2Client"/>: Region or service URL, time limits, retries.</summary>
public class AmazonElasticLoadBalancingV2Config()
    : ServiceConfig("Elastic Load Balancing v2", "elasticloadbalancing", "elasticloadbalancing", "2015-12-01");
