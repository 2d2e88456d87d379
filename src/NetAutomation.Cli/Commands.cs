using System.CommandLine;
using System.CommandLine.Help;
using NetAutomation.Catalog.Publish;
using NetAutomation.Content;
using NetAutomation.Platforms;

namespace NetAutomation.Cli;

/// <summary>The program's commands. Exit codes: 0 it is so, 1 it is not, 2 it was called wrongly.</summary>
internal static class Commands
{
    private static readonly Option<string> _ansible = Where("--ansible", "The engine", Source.BesideTheProgram.Ansible);
    private static readonly Option<string> _blocks = Where("--blocks", "The blocks", Source.BesideTheProgram.Blocks);
    private static readonly Option<string> _platforms = Where("--platforms", "The platforms", Source.BesideTheProgram.Platforms);

    public static async Task<int> Run(string[] args, CancellationToken cancel)
    {
        var blocks = new Command("blocks", "For authors of blocks (docs/writing-blocks.md).") { New(), Lint(), Test(), Pack() };
        foreach (var option in new[] { _ansible, _blocks, _platforms })
        {
            blocks.Add(option);
        }

        var parsed = new Command("netautomation", "Network automation: what authors of blocks need, without a service.")
        {
            blocks, new HelpOption(), new VersionOption(),
        }.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            await Console.Error.WriteLineAsync(string.Join('\n', parsed.Errors.Select(error => error.Message)));
            return 2;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }, cancel);
        }
        catch (UsageException wrong)
        {
            await Console.Error.WriteLineAsync(wrong.Message);
            return 2;
        }
        catch (Exception fault) when (fault is ContentException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync(fault.Message);
            return 1;
        }
    }

    private static Command New()
    {
        var slug = new Argument<string>("SLUG") { Description = "The block's name and that of its folder, made in this directory" };
        var platform = new Option<string?>("--platform") { Description = "The first platform; one with a terminal if none is named" };
        var command = new Command("new", "Writes a block to begin with, which lint and test take.") { slug, platform };
        command.SetAction(parsed =>
        {
            Skeleton.Write(Path.GetFullPath(parsed.GetRequiredValue(slug)), parsed.GetValue(platform), SourceOf(parsed));
            return 0;
        });
        return command;
    }

    private static Command Lint()
    {
        var folders = Folders();
        var command = new Command("lint", "Says what publishing would refuse, with file, line and reason.") { folders };
        command.SetAction(async (parsed, cancel) =>
        {
            var source = SourceOf(parsed);
            var (platforms, refusals) = await PlatformCatalog.Check(source.Platforms);
            var faults = refusals.ToList();
            foreach (var folder in source.Folders(parsed.GetValue(folders) ?? []))
            {
                try
                {
                    var block = BlockFolder.Read(ContentFolder.Read(folder), platforms);
                    foreach (var platform in block.Platforms)
                    {
                        _ = Proof.Read(Block.Read(folder), platform);
                    }

                    Console.WriteLine($"ok      {block.Manifest.Slug} {block.Manifest.Version} on {string.Join(", ", block.Platforms)}");
                }
                catch (ContentException fault)
                {
                    faults.Add(fault.Message);
                }
            }

            faults.ForEach(fault => Console.WriteLine($"REFUSED {fault}"));
            return faults.Count == 0 ? 0 : 1;
        });
        return command;
    }

    private static Command Test()
    {
        var folders = Folders();
        var platform = new Option<string?>("--platform") { Description = "This platform alone" };
        var devices = new Option<string?>("--devices")
        {
            Description = "Play the proofs on the devices of this file, in the service's sandbox; without it, cases are planned",
        };
        var json = new Option<string?>("--json") { Description = "Write what came of each block and platform to this file" };
        var sample = new Option<int?>("--sample")
        {
            Description = "Play an eighth, chosen by this number, with each block and platform once at least",
        };
        var jobs = new Option<int>("--jobs")
        {
            Description = "Devices to play on at a time", DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        var command = new Command("test", "Plans cases, or plays proofs on devices and says what held.")
        {
            folders, platform, devices, json, sample, jobs,
        };
        command.SetAction((parsed, cancel) =>
        {
            var (source, given) = (SourceOf(parsed), parsed.GetValue(folders) ?? []);
            return parsed.GetValue(devices) is { } file
                ? Matrix.Play(
                    source, source.Folders(given), parsed.GetValue(platform), Device.Read(file), parsed.GetValue(sample),
                    parsed.GetValue(jobs), parsed.GetValue(json), cancel)
                : Cases.Plan(source, source.Folders(given), parsed.GetValue(platform), cancel);
        });
        return command;
    }

    private static Command Pack()
    {
        var folder = new Argument<string>("DIR") { Description = "The block's folder" };
        var command = new Command("pack", "Writes SLUG-VERSION.tar.gz of a block that lint takes, and prints its digest.") { folder };
        command.SetAction(async (parsed, _) =>
        {
            var source = SourceOf(parsed);
            var (platforms, _) = await PlatformCatalog.Check(source.Platforms);
            var block = BlockFolder.Read(ContentFolder.Read(source.Folders([parsed.GetRequiredValue(folder)])[0]), platforms);
            var file = $"{block.Manifest.Slug}-{block.Manifest.Version}.tar.gz";
            await using (var archive = File.Create(file))
            {
                ContentArchive.Write(block.Content, archive);
            }

            Console.WriteLine($"{file} {block.Content.Digest}");
            return 0;
        });
        return command;
    }

    private static Argument<string[]> Folders() => new("DIR")
    {
        Description = "Folders of blocks; all of --blocks if none is named", Arity = ArgumentArity.ZeroOrMore,
    };

    private static Option<string> Where(string name, string what, string otherwise) => new(name)
    {
        Description = $"{what}, a directory", DefaultValueFactory = _ => otherwise, Recursive = true,
    };

    private static Source SourceOf(ParseResult parsed)
    {
        var source = new Source(
            parsed.GetRequiredValue(_ansible), parsed.GetRequiredValue(_blocks), parsed.GetRequiredValue(_platforms));
        return new[] { source.Ansible, source.Platforms }.FirstOrDefault(path => !Directory.Exists(path)) is { } missing
            ? throw new UsageException($"{missing}: no such directory") : source;
    }
}
