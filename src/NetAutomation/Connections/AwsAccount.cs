namespace NetAutomation.Connections;

/// <summary>The number of an AWS account.</summary>
internal static class AwsAccount
{
    public static bool IsNumber(string text) => text.Length == 12 && text.All(char.IsAsciiDigit);
}
